/* What method.c needs of log.c. */

#ifndef ANTINODE_METHOD_H
#define ANTINODE_METHOD_H

#include "slots.h"

int antinode_is_log(PyObject *object);
PyObject *antinode_log_event(PyObject *log, PyObject *event, PyObject *extra);
PyObject *antinode_log_method(PyObject *module, PyObject *const *args, Py_ssize_t count);

#endif
