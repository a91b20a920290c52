/* The base of the ledger: `Counts` of antinode/_delivery/ledger.py, with each count as a number in its place, so that
   counting an event makes no objects. */

#include "counts.h"

typedef struct {
    PyObject_HEAD
    long long accepted, pending, pending_bytes, unmade, on_disk, on_disk_bytes;
} Counts;

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
    {"unmade", T_LONGLONG, offsetof(Counts, unmade), 0, NULL},
    {"on_disk", T_LONGLONG, offsetof(Counts, on_disk), 0, NULL},
    {"on_disk_bytes", T_LONGLONG, offsetof(Counts, on_disk_bytes), 0, NULL},
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
