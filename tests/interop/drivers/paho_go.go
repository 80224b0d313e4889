// SPDX-License-Identifier: MIT
// Paho Go as a command: `paho_go publish|subscribe key=value...`. The words it takes and the lines
// it prints are described in paho_python.py. It speaks 3.1 and 3.1.1.

package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

var versions = map[string]uint{"3.1": 3, "3.1.1": 4}
var qualities = map[string]byte{"0": 0, "1": 1, "2": 2}

func parse(words []string) map[string]string {
	options := map[string]string{"clean": "1"}
	for _, word := range words {
		pair := strings.SplitN(word, "=", 2)
		options[pair[0]] = pair[1]
	}
	return options
}

func check(token mqtt.Token) {
	token.Wait()
	if token.Error() != nil {
		fmt.Println("error", token.Error())
		os.Exit(1)
	}
}

func bit(flag bool) int {
	if flag {
		return 1
	}
	return 0
}

func show(_ mqtt.Client, message mqtt.Message) {
	fmt.Printf("message %d %d %x %x\n", message.Qos(), bit(message.Retained()), message.Topic(),
		message.Payload())
}

func connect(options map[string]string) mqtt.Client {
	settings := mqtt.NewClientOptions()
	settings.AddBroker("tcp://127.0.0.1:" + options["port"])
	settings.SetClientID(options["id"])
	settings.SetProtocolVersion(versions[options["version"]])
	settings.SetCleanSession(options["clean"] == "1")
	settings.SetAutoReconnect(false)
	settings.SetDefaultPublishHandler(show)
	if topic, ok := options["will_topic"]; ok {
		settings.SetWill(topic, options["will_payload"], qualities[options["will_qos"]],
			options["will_retain"] == "1")
	}
	client := mqtt.NewClient(settings)
	check(client.Connect())
	fmt.Println("connected")
	return client
}

func publish(client mqtt.Client, options map[string]string) {
	payload, _ := io.ReadAll(os.Stdin)
	check(client.Publish(options["topic"], qualities[options["qos"]], options["retain"] == "1",
		payload))
	fmt.Println("published")
}

func subscribe(client mqtt.Client, options map[string]string) {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	check(client.Subscribe(options["filter"], qualities[options["qos"]], nil))
	fmt.Println("subscribed")
	<-end
}

func main() {
	verbs := map[string]func(mqtt.Client, map[string]string){
		"publish": publish, "subscribe": subscribe}
	options := parse(os.Args[2:])
	client := connect(options)
	verbs[os.Args[1]](client, options)
	client.Disconnect(250)
}
