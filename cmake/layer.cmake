# SPDX-License-Identifier: MIT
# bud_layer(core FILES router.c ... USES base proto TESTS trie_test LINK pthread)
# A static library of src/<name>/ whose include path holds only itself and what it uses: an upward
# include does not compile. Each of TESTS is one cmocka executable and one ctest, <name>/<test>.
function(bud_layer name)
  cmake_parse_arguments(A "" "" "FILES;USES;TESTS;LINK" ${ARGN})
  list(TRANSFORM A_FILES PREPEND ${CMAKE_SOURCE_DIR}/src/${name}/)
  add_library(bud_${name} STATIC ${A_FILES})
  set(view ${CMAKE_BINARY_DIR}/layers/${name}) # holds one link: <name> -> src/<name>
  file(MAKE_DIRECTORY ${view})
  file(CREATE_LINK ${CMAKE_SOURCE_DIR}/src/${name} ${view}/${name} SYMBOLIC)
  target_include_directories(bud_${name} PUBLIC ${view})
  if(name STREQUAL proto) # must build where there is nothing newer than C11
    set_target_properties(bud_proto PROPERTIES C_STANDARD 11)
  endif()
  foreach(lower ${A_USES})
    target_link_libraries(bud_${name} PUBLIC bud_${lower})
  endforeach()
  target_link_libraries(bud_${name} PUBLIC ${A_LINK})
  if(NOT BUD_TESTS)
    return()
  endif()
  foreach(test ${A_TESTS})
    add_executable(${name}_${test} ${CMAKE_SOURCE_DIR}/src/${name}/${test}.c)
    target_link_libraries(${name}_${test} PRIVATE bud_${name} cmocka)
    add_test(NAME ${name}/${test} COMMAND ${name}_${test})
    set_tests_properties(${name}/${test} PROPERTIES TIMEOUT 300)
  endforeach()
endfunction()
