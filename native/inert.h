/* Values that are encoded without running code of anybody's: `is_inert` and `inert_copy` of
   antinode/_encoding/inert.py, which are the reference. */

#ifndef ANTINODE_INERT_H
#define ANTINODE_INERT_H

#include "slots.h"

/* About how large something is as JSON, as far as it has been looked at. */
typedef struct {
    Py_ssize_t total, longest;
} JsonSize;

/* What has more layers, or is larger than any request, is left to Python: it may hold itself, or one list many times. */
#define INERT_LAYERS 64
#define INERT_BYTES (64 << 20)

/* -1 with an error set. Once, before anything else. */
int antinode_prepare_inert(void);

/* Whether this holds nothing else, and encoding it runs no code. */
int antinode_is_leaf(PyObject *value, PyObject *uuid_type);

/* The same value in containers of our own (a new reference); NULL with an error set. `copy` is Python's, for what is
   rare. */
PyObject *antinode_inert_copy(PyObject *value, PyObject *uuid_type, PyObject *copy, int layers);

/* Whether there is memory to encode so much: -1 with MemoryError set if not. The encoder crashes without. */
int antinode_reserve(const JsonSize *size);

/* reserve(value) */
PyObject *antinode_reserve_for(PyObject *module, PyObject *value);

#endif
