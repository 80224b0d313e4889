# SPDX-License-Identifier: MIT
# Toolchain of the mcu preset: an Arm Cortex-M3 with nothing around it, neither C library nor heap.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_C_COMPILER clang)
set(CMAKE_C_COMPILER_TARGET thumbv7m-none-eabi)
# -meabi gnu: block copies are called memcpy and memset, not by names only Arm's library has.
set(CMAKE_C_FLAGS_INIT "-mcpu=cortex-m3 -mthumb -meabi gnu -ffreestanding -nostdlib")
set(CMAKE_C_FLAGS_MINSIZEREL_INIT "-Os")
