/* Typed events, made in C. */

#ifndef ANTINODE_TYPED_H
#define ANTINODE_TYPED_H

#include "slots.h"

extern PyType_Spec antinode_maker_spec;

PyObject *antinode_quicken(PyObject *module, PyObject *type);

#endif
