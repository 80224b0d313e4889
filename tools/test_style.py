# SPDX-License-Identifier: MIT
"""tools/style catches what it says it catches: each rule is shown a seeded violation, and the
innocent neighbour that a careless rule would take for one."""
import importlib.machinery
import importlib.util
import os
import shutil
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))


def load_style():
    loader = importlib.machinery.SourceFileLoader("style", os.path.join(HERE, "style"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("style", loader))
    loader.exec_module(module)
    return module


style = load_style()
HEAD = "// SPDX-License-Identifier: MIT\n// What this is for.\n"


def complaints(path, text):
    return [line.split(": ", 2)[1] for line in style.check_file(style.File(path, text))]


def function(body):
    return HEAD + "int f(int x)\n{\n" + body + "}\n"


def nested(depth):
    opening = "".join("    " * (n + 1) + "if (x) {\n" for n in range(depth))
    return opening + "    " * (depth + 1) + "x++;\n" + "".join(
        "    " * (n + 1) + "}\n" for n in reversed(range(depth)))


GUARDED = HEAD + "#ifndef BUD_X_H\n#define BUD_X_H\nint f(int x);\n#endif\n"
JOINED_HOST = "registry.npmjs" + ".org"

# rule, path, text: each must be caught by that rule and by no other.
SEEDED = [
    ("function length", "src/core/x.c", function("    x++;\n" * 68)),
    ("function length", "tools/x.py", '# SPDX-License-Identifier: MIT\n"""X."""\ndef f():\n'
     + "    pass\n" * 70),
    ("file length", "src/core/x.c", HEAD + "int x;\n" * 699),
    ("nesting", "src/core/x.c", function(nested(4))),
    ("nesting", "src/core/x.c", function("    switch (x) {\n    case 1: {\n" + nested(2)
                                         + "    }\n    }\n")),
    ("columns", "src/core/x.c", HEAD + "// " + "x" * 98 + "\n"),
    ("columns", "tools/x", "#!/bin/sh\n# SPDX-License-Identifier: MIT\n# X.\n# " + "x" * 99 + "\n"),
    ("calls", "src/core/x.c", function("    strcpy(a, b);\n")),
    ("calls", "src/os/x.c", function("    return atoi(a);\n")),
    ("calls", "tests/x.c", function("    gets(a);\n")),
    ("calls", "src/base/map.c", function("    free(a);\n")),
    ("calls", "src/server/x.c", function("    return read(fd, a, 1);\n")),
    ("calls", "src/core/x.c", function("    return (int)time(NULL);\n")),
    ("threads", "src/server/x.c", function("    pthread_mutex_lock(&x);\n")),
    ("threads", "src/core/x.c", HEAD + "#include <pthread.h>\n"),
    ("layers", "src/proto/x.c", HEAD + '#include "core/message.h"\n'),
    ("layers", "src/server/x.c", HEAD + '#include "client/client.h"\n'),
    ("layers", "src/os/x.c", HEAD + '#include "store/store.h"\n'),
    ("layers", "src/proto/x.c", HEAD + '#include "../core/message.h"\n'),
    ("assert", "src/core/x.c", function("    assert(x);\n")),
    ("assert", "src/core/x.c", HEAD + "#include <assert.h>\n"),
    ("conditionals", "src/core/x.c", HEAD + "#ifdef WITH_X\nint x;\n#endif\n"),
    ("conditionals", "src/core/x.h", GUARDED + "#if X\n#endif\n"),
    ("guard", "src/core/x.h", HEAD + "int f(int x);\n"),
    ("head", "src/core/x.c", "// What this is for.\nint x;\n"),
    ("head", "src/core/x.c", "// SPDX-License-Identifier: MIT\nint x;\n"),
    ("head", "tools/x", "#!/bin/sh\necho\n"),
    ("hosts", "tools/x.txt", "https://" + JOINED_HOST + "/x\n"),
    ("hosts", "docs/x.md", "see .." + "/shared/design.md\n"),
    ("hosts", "docs/x.md", "in /work" + "/main\n"),
    ("whitespace", "src/core/x.c", HEAD + "int x; \n"),
    ("whitespace", "src/core/x.c", HEAD + "int x;"),
    ("whitespace", "src/core/x.c", HEAD + "\tint x;\n"),
]

# Must not be taken for a violation.
INNOCENT = [
    ("src/core/x.c", function("    x++;\n" * 67)),
    ("src/core/x.c", HEAD + "int x;\n" * 698),
    ("src/core/x.c", function(nested(3))),
    ("src/core/x.c", function("    struct t t[] = {{{{{1}}}}};\n    g((struct t){{{{{1}}}}});\n")),
    ("src/core/x.c", HEAD + "// " + "x" * 97 + "\n"),
    ("src/core/x.c", function('    g("strcpy(a, b)"); // strcpy(a, b)\n')),
    ("src/core/x.c", function("    net_read(x);\n    port->time(x);\n    port.close(x);\n")),
    ("src/core/x.c", HEAD + "static int accept(int x)\n{\n    return x;\n}\n\n"
     "int f(int x)\n{\n    return accept(x);\n}\n"),
    ("src/os/net.c", function("    return read(fd, a, 1);\n")),
    ("src/store/disk.c", function("    return fsync(fd);\n")),
    ("src/base/memory.c", function("    free(a);\n")),
    ("src/server/x_test.c", function("    free(a);\n    close(fd);\n")),
    ("src/base/lock.c", HEAD + "#include <pthread.h>\n"),
    ("src/store/x.c", HEAD + '#include "os/clock.h"\n#include "base/m.h"\n#include "store/x.h"\n'),
    ("src/core/x.c", HEAD + '#include "message.h"\n#include <stdint.h>\n'),
    ("src/core/x.c", function('    ASSERT(x);\n    _Static_assert(1, "");\n    assert_true(x);\n')),
    ("src/core/x.h", GUARDED),
    ("src/os/net.c", HEAD + "#ifdef __linux__\n#endif\n"),
    ("tools/x", "#!/bin/sh\n# SPDX-License-Identifier: MIT\n# What this is for.\n"),
    ("docs/x.md", "two spaces  \nend a line in Markdown, and shared/x is a folder\n"),
]


@pytest.mark.parametrize("rule, path, text", SEEDED)
def test_a_seeded_violation_is_caught_by_its_rule(rule, path, text):
    assert complaints(path, text) == [rule]


@pytest.mark.parametrize("path, text", INNOCENT)
def test_an_innocent_neighbour_is_left_alone(path, text):
    assert complaints(path, text) == []


def test_every_rule_has_a_seeded_violation():
    assert {rule for rule, _, _ in SEEDED} == set(style.RULES)


@pytest.mark.parametrize("call", " ".join(names for names, _, _ in style.BANS).split())
def test_every_forbidden_call_is_caught(call):
    assert complaints("src/core/x.c", function(f"    {call}(x);\n")) == ["calls"]


def test_a_complaint_names_file_and_line():
    text = HEAD + "int x; \n"
    assert next(style.check_file(style.File("src/core/x.c", text))).startswith("src/core/x.c:3: ")


def test_a_file_that_clang_format_would_change_is_caught(tmp_path):
    bad = tmp_path / "x.c"
    bad.write_text("int   x ;\n")
    shutil.copy(os.path.join(HERE, "..", ".clang-format"), tmp_path)
    assert [line.split(": ")[1] for line in style.check_format([str(bad)])] == ["format"]
    bad.write_text("int x;\n")
    assert style.check_format([str(bad)]) == []


def test_a_header_that_does_not_compile_alone_is_caught(tmp_path):
    (tmp_path / "src" / "core").mkdir(parents=True)
    header = tmp_path / "src" / "core" / "x.h"
    header.write_text("uint8_t x(void);\n")
    found = style.check_headers(["src/core/x.h"], tmp_path)
    assert len(found) == 2 and "gcc" in found[0] and "clang" in found[1]
    header.write_text("#include <stdint.h>\nuint8_t x(void);\n")
    assert style.check_headers(["src/core/x.h"], tmp_path) == []


def test_a_source_that_is_never_built_is_caught(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src" / "core").mkdir(parents=True)
    lists = tmp_path / "src" / "core" / "CMakeLists.txt"
    paths = ["src/core/x.c", "src/core/x_test.c", "src/core/x.h"]
    lists.write_text("bud_layer(core FILES xx.c TESTS xx_test)\n")
    assert [line.split(":")[0] for line in style.check_listed(paths)] == paths[:2]
    lists.write_text("bud_layer(core FILES x.c TESTS x_test)\n")
    assert not list(style.check_listed(paths))


def test_the_program_fails_on_a_violation_and_passes_without(tmp_path):
    (tmp_path / "tools").mkdir()
    shutil.copy(os.path.join(HERE, "style"), tmp_path / "tools")
    shutil.copy(os.path.join(HERE, "..", ".clang-format"), tmp_path)
    (tmp_path / "src" / "core").mkdir(parents=True)
    source = tmp_path / "src" / "core" / "x.c"
    program = tmp_path / "tools" / "style"

    source.write_text(HEAD + "int x;\n")
    assert subprocess.run([program], capture_output=True).returncode == 0
    source.write_text("int x;\n")
    run = subprocess.run([program], capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stdout.startswith("src/core/x.c:1: head: ")
