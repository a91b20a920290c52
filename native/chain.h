/* The middleware chain of chain.c. */

#ifndef ANTINODE_CHAIN_H
#define ANTINODE_CHAIN_H

#include "slots.h"

extern PyType_Spec antinode_chain_spec, antinode_next_spec;

int antinode_is_chain(PyObject *object);

/* What comes out at the end for this payload, None if a middleware did not pass it on, or what tells of an exception that one
   has raised (a new reference); NULL with an error set that is no Exception, or for lack of memory. */
PyObject *antinode_run_chain(PyObject *chain, PyObject *payload);

#endif
