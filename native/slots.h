/* Where attributes lie in their objects. Both msgspec's structs and __slots__ have member descriptors, which tell. */

#ifndef ANTINODE_SLOTS_H
#define ANTINODE_SLOTS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#ifdef Py_GIL_DISABLED
#error "antinode's compiled parts rely on the GIL; antinode works without them"
#endif

#ifndef T_OBJECT_EX
#include <structmember.h>
#endif

/* Where the values of a member descriptor lie in their objects; -1 with TypeError set when it is none, or not for values of
   this kind (as in PyMemberDef). */
Py_ssize_t antinode_place_of(PyObject *descriptor, int kind);

static inline PyObject **
slot(PyObject *object, Py_ssize_t offset)
{
    return (PyObject **)((char *)object + offset);
}

/* Put a new value, whose reference is taken over, in the place of the former one. */
static inline void
replace(PyObject *object, Py_ssize_t offset, PyObject *value)
{
    PyObject **place = slot(object, offset), *former = *place;
    *place = value;
    Py_XDECREF(former);
}

extern PyType_Spec antinode_log_spec;
extern PyMethodDef antinode_pass_methods[];

PyObject *antinode_fork_flag(PyObject *module, PyObject *nothing);

/* A frame of the spool: the head of a record, and its body, which is of bytes. `to` must have the room. */
#define FRAME_SIZE 24
void antinode_put_frame(unsigned char *to, uint32_t salt, uint32_t nth, double logged_at, PyObject *body);
PyObject *antinode_store_frame(PyObject *module, PyObject *const *args, Py_ssize_t count);
PyObject *antinode_whole_frames(PyObject *module, PyObject *const *args, Py_ssize_t count);

PyObject *antinode_plain_records(PyObject *module, PyObject *const *args, Py_ssize_t count);
PyObject *antinode_keep_held(PyObject *module, PyObject *const *args, Py_ssize_t count);

PyObject *antinode_plain_answer(PyObject *module, PyObject *data);

/* What connections ask of the system; not on Windows. */
#ifndef _WIN32
PyObject *antinode_identity_at(PyObject *module, PyObject *number);
PyObject *antinode_has_come(PyObject *module, PyObject *number);
PyObject *antinode_send_now(PyObject *module, PyObject *const *args, Py_ssize_t count);
PyObject *antinode_receive_within(PyObject *module, PyObject *const *args, Py_ssize_t count);
PyObject *antinode_wait_within(PyObject *module, PyObject *const *args, Py_ssize_t count);
#endif
PyObject *antinode_exceeds_of(PyObject *module, PyObject *const *args, Py_ssize_t count);
int antinode_exceeds(const char *text, Py_ssize_t size, Py_ssize_t max_string, Py_ssize_t max_properties,
                     Py_ssize_t max_layers);

/* What the loops know of records, and of the stream queues in which some wait; in the module's state. */
typedef struct {
    PyTypeObject *type;
    Py_ssize_t body, stream, attempts, outcome, callbacks;
    PyTypeObject *queue_type;
    Py_ssize_t queue_records, queue_is_ready;
} Records;

#endif
