/* Which ids the API refuses: antinode/_protocol/ids.py, which is the reference. */

#ifndef ANTINODE_IDS_H
#define ANTINODE_IDS_H

#include "slots.h"

/* The refused ids, in lower case, in the form in which they are looked through. */
typedef struct IdList IdList;

/* NULL with an error set; to be freed with PyMem_Free. */
IdList *antinode_list_ids(PyObject *texts);

/* 1: the API takes it; 0: it does not; -1, without an error: this text is not for here, for it is not ASCII. */
int antinode_is_good_id(PyObject *text, Py_ssize_t min_length, const IdList *refused);

#endif
