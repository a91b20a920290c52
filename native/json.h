/* JSON text, written in one pass that runs no code of anybody's: what the encoder (orjson) makes of inert values, which
   is the reference. */

#ifndef ANTINODE_JSON_H
#define ANTINODE_JSON_H

#include "slots.h"
#if PY_VERSION_HEX < 0x030B0000
#include <longintrepr.h>
#endif

/* Text under way, and the limits of an event that are looked at while it grows. */
typedef struct {
    char *start, *to, *end;
    Py_ssize_t properties;      /* keys so far */
    Py_ssize_t max_properties;
    Py_ssize_t max_string;      /* in bytes of JSON, which are never fewer than characters */
    PyObject *dumps;            /* Python's encoder, for values that are rare */
    PyObject *uuid_type;
    int is_copy;                /* made for this: what is not known here is Python's encoder's */
} Writer;

/* Has looked at something that may run code, or that cannot be encoded: a copy has to be made of it. */
#define NOT_INERT 0
/* Beyond a limit, or with an error set: Python has to look. */
#define LEAVE (-1)

/* So much is free in each text, so that what is short needs not ask. */
#define WRITER_SLACK 64

/* Make room for so many bytes and the slack: 0, or -1 with MemoryError set. */
int antinode_grow(Writer *writer, Py_ssize_t size);

static inline int
antinode_room(Writer *writer, Py_ssize_t size)
{
    return writer->end - writer->to >= size + WRITER_SLACK ? 0 : antinode_grow(writer, size);
}

/* Add bytes for which there is room. */
static inline void
antinode_put(Writer *writer, const char *text, Py_ssize_t size)
{
    memcpy(writer->to, text, (size_t)size);
    writer->to += size;
}

/* The same for a number's digits: 20 bytes at most. */
void antinode_put_number(Writer *writer, unsigned long long number);

/* A value of so many layers at most: 1, NOT_INERT or LEAVE. */
int antinode_write(Writer *writer, PyObject *value, Py_ssize_t layers);

/* A dict, and what another has under keys that are not in it: as one dict. */
int antinode_write_both(Writer *writer, PyObject *own, PyObject *outer, Py_ssize_t layers);

/* An int (not of a subclass), and whether it has more than 64 bits with its sign. */
static inline long long
antinode_int64(PyObject *value, int *is_beyond)
{
#if PY_VERSION_HEX < 0x030F0000 && PYLONG_BITS_IN_DIGIT == 30
    /* Two digits, which have 60 bits, are looked at where they lie: any `time` has two. */
    const PyLongObject *number = (const PyLongObject *)value;
#if PY_VERSION_HEX < 0x030C0000
    Py_ssize_t count = Py_SIZE(value);
    const digit *digits = number->ob_digit;
#else
    uintptr_t tag = number->long_value.lv_tag;
    Py_ssize_t count = (Py_ssize_t)(tag >> 3) * (1 - (Py_ssize_t)(tag & 3));
    const digit *digits = number->long_value.ob_digit;
#endif
    if (-2 <= count && count <= 2) {
        long long size = count == 0 ? 0 : digits[0];
        size |= count == 2 || count == -2 ? (long long)digits[1] << 30 : 0;
        *is_beyond = 0;
        return count < 0 ? -size : size;
    }
#endif
    return PyLong_AsLongLongAndOverflow(value, is_beyond);
}

#endif
