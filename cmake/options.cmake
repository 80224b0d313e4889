# SPDX-License-Identifier: MIT
# What can be chosen, and the compiler flags that follow from it. Set by the presets.
option(BUD_TESTS "Build the unit tests (needs cmocka)" ON)
option(BUD_WERROR "Warnings are errors" ON)
option(BUD_HARDENING "Compile and link as for a program that faces the network" OFF)
option(BUD_FUZZ "Build the fuzz targets (needs clang)" OFF)
option(BUD_COVERAGE "Count executed lines" OFF)
option(BUD_MCU "Build src/proto alone, for a microcontroller" OFF)
set(BUD_SANITIZE "" CACHE STRING "Sanitizers, as in -fsanitize=: 'address,undefined' or 'thread'")

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Debug)
endif()

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

add_compile_options(-Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wundef -Wvla)
if(NOT BUD_FUZZ) # libFuzzer's entry points have no header of ours
  add_compile_options(-Wmissing-prototypes) # a function is static or declared in a header
endif()
if(BUD_WERROR)
  add_compile_options(-Werror)
endif()
if(NOT BUD_MCU)
  add_compile_options(-fno-omit-frame-pointer -fvisibility=hidden)
  add_compile_definitions(_GNU_SOURCE=) # epoll, accept4 and their kind; proto/ uses none of it
endif()

# Left alone, gcc clears structs by `rep stos`, which takes longer to start (16 ns where it was
# measured) than a struct takes to clear; every packet clears several.
if(CMAKE_C_COMPILER_ID STREQUAL GNU AND CMAKE_SYSTEM_PROCESSOR STREQUAL x86_64 AND NOT BUD_MCU)
  add_compile_options("-mmemset-strategy=vector_loop:512:noalign,libcall:-1:noalign")
endif()

if(BUD_SANITIZE)
  add_compile_options(-fsanitize=${BUD_SANITIZE} -fno-sanitize-recover=all)
  if(CMAKE_C_COMPILER_ID STREQUAL GNU) # warns of its own checks; without sanitizers it warns of ours
    add_compile_options(-Wno-conversion)
  endif()
  add_link_options(-fsanitize=${BUD_SANITIZE})
endif()

if(BUD_COVERAGE)
  add_compile_options(--coverage -fprofile-update=atomic)
  add_link_options(--coverage)
endif()

# The libraries are instrumented; only a fuzz target links libFuzzer itself, with LINK_FLAGS below.
set(BUD_FUZZ_LINK_FLAGS -fsanitize=fuzzer)
if(BUD_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES Clang)
    message(FATAL_ERROR "BUD_FUZZ needs clang: cmake --preset fuzz")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

if(BUD_HARDENING)
  include(CheckPIESupported)
  check_pie_supported()
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|i.86|aarch64|ppc64|s390")
    add_compile_options(-fstack-clash-protection)
  endif()
  add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()
