# SPDX-License-Identifier: BSD-2-Clause
# cmake -DIN=FILE -DOUT=HEADER -DNAME=NAME -P embed.cmake: the file as a C string.
file(READ ${IN} bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
file(WRITE ${OUT} "static const char ${NAME}[] = {${bytes}0};\n")
