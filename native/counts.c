/* The base of the ledger: `Counts` of antinode/delivery/counts.py, with each count as a number in its place, so that
   counting an event makes no objects. */

#include "counts.h"

typedef struct {
    PyObject_HEAD
    long long accepted, pending, pending_bytes;
} Counts;

Py_ssize_t
antinode_count_of(PyTypeObject *type, const char *name)
{
    PyObject *descriptor = PyObject_GetAttrString((PyObject *)type, name);
    if (descriptor == NULL) {
        return -1;
    }
    Py_ssize_t offset = -1;
    if (Py_TYPE(descriptor) == &PyMemberDescr_Type) {
        PyMemberDef *member = ((PyMemberDescrObject *)descriptor)->d_member;
        if (member->type == T_LONGLONG) {
            offset = member->offset;
        }
    }
    Py_DECREF(descriptor);
    if (offset <= 0) {
        PyErr_Format(PyExc_TypeError, "%s.%s is no count", type->tp_name, name);
        return -1;
    }
    return offset;
}

static void
Counts_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMemberDef Counts_members[] = {
    {"accepted", T_LONGLONG, offsetof(Counts, accepted), 0, NULL},
    {"pending", T_LONGLONG, offsetof(Counts, pending), 0, NULL},
    {"pending_bytes", T_LONGLONG, offsetof(Counts, pending_bytes), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot Counts_slots[] = {
    {Py_tp_doc, (void *)PyDoc_STR("Counts that compiled code finds where they lie.")},
    {Py_tp_dealloc, Counts_dealloc},
    {Py_tp_members, Counts_members},
    {0, NULL},
};

PyType_Spec antinode_counts_spec = {
    .name = "antinode._native.Counts",
    .basicsize = sizeof(Counts),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = Counts_slots,
};
