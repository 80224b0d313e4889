# SPDX-License-Identifier: MIT
# Proves the layer rule: for each layer, one test that tries to include a header of every layer
# above it and of its neighbours, with the very include path the build uses.
set(ranks_proto 0)
set(ranks_base 1)
set(ranks_core 2)
set(ranks_os 3)
set(ranks_store 4) # may name os; os may not name it
set(ranks_transport 4)
set(ranks_access 4)
set(ranks_server 5)
set(ranks_client 5)
set(ranks_edge 6)
set(ranks_cmd 7)
set(all_layers proto base core os store transport access server client edge cmd)

foreach(layer ${all_layers})
  if(NOT TARGET bud_${layer})
    continue()
  endif()
  set(forbidden)
  foreach(other ${all_layers})
    if(NOT other STREQUAL layer AND NOT ranks_${other} LESS ranks_${layer})
      list(APPEND forbidden ${other})
    endif()
  endforeach()
  set(include_path "$<JOIN:$<TARGET_PROPERTY:bud_${layer},INCLUDE_DIRECTORIES>,:>")
  add_test(
    NAME layers/${layer}
    COMMAND
      ${CMAKE_COMMAND} -D "COMPILER=${CMAKE_C_COMPILER}" -D "INCLUDE_PATH=${include_path}"
      -D LAYER=${layer} -D "FORBIDDEN=${forbidden}" -D SOURCE=${CMAKE_SOURCE_DIR}/src -D
      SCRATCH=${CMAKE_BINARY_DIR}/layers/${layer}.rule -P
      ${CMAKE_SOURCE_DIR}/cmake/layer_rule_test.cmake)
endforeach()
