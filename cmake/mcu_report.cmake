# SPDX-License-Identifier: MIT
# The gate of the mcu preset: sizes, and nothing needed from outside but mem*.
add_custom_target(
  mcu_report ALL
  COMMAND ${CMAKE_SOURCE_DIR}/tools/mcu_report $<TARGET_FILE:bud_proto>
  DEPENDS bud_proto
  VERBATIM)
