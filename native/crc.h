/* CRC-32 as zlib has it. */

#ifndef ANTINODE_CRC_H
#define ANTINODE_CRC_H

#include "slots.h"

/* Once, before anything else. */
void antinode_prepare_crc(void);

uint32_t antinode_crc(uint32_t crc, const unsigned char *data, Py_ssize_t size);

#endif
