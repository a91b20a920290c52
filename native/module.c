/* antinode._native: the compiled twins of a few Python functions. antinode is complete without it. */

#include "chain.h"
#include "counts.h"
#include "crc.h"
#include "guard.h"
#include "inert.h"
#include "typed.h"

Py_ssize_t
antinode_place_of(PyObject *descriptor, int kind)
{
    if (Py_TYPE(descriptor) == &PyMemberDescr_Type) {
        PyMemberDef *member = ((PyMemberDescrObject *)descriptor)->d_member;
        if (member->type == kind && !(member->flags & READONLY) && member->offset > 0) {
            return member->offset;
        }
    }
    PyErr_Format(PyExc_TypeError, "%R is no slot of the kind that is wanted", descriptor);
    return -1;
}

/* As in antinode/_speedups.py: of what the two sides have agreed on. */
#define REVISION 11

static int
native_exec(PyObject *module)
{
    if (PyModule_AddIntConstant(module, "REVISION", REVISION) < 0) {
        return -1;
    }
    antinode_prepare_crc();
    if (antinode_prepare_inert() < 0) {
        return -1;
    }
    PyType_Spec *const specs[] = {&antinode_log_spec, &antinode_guard_spec, &antinode_counts_spec, &antinode_chain_spec,
                                 &antinode_next_spec, &antinode_maker_spec};
    for (size_t which = 0; which < sizeof specs / sizeof *specs; which++) {
        PyObject *type = PyType_FromModuleAndSpec(module, specs[which], NULL);
        if (type == NULL) {
            return -1;
        }
        int failed = PyModule_AddType(module, (PyTypeObject *)type);
        Py_DECREF(type);
        if (failed) {
            return -1;
        }
    }
    return 0;
}

static int
native_traverse(PyObject *module, visitproc visit, void *arg)
{
    Records *records = PyModule_GetState(module);
    Py_VISIT(records->type);
    Py_VISIT(records->queue_type);
    return 0;
}

static int
native_clear(PyObject *module)
{
    Records *records = PyModule_GetState(module);
    Py_CLEAR(records->type);
    Py_CLEAR(records->queue_type);
    return 0;
}

static PyModuleDef_Slot native_slots[] = {
    {Py_mod_exec, native_exec},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef native_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "antinode._native",
    .m_doc = PyDoc_STR("The compiled twins of a few Python functions; see native/."),
    .m_size = sizeof(Records),
    .m_methods = antinode_pass_methods,
    .m_slots = native_slots,
    .m_traverse = native_traverse,
    .m_clear = native_clear,
};

PyMODINIT_FUNC
PyInit__native(void)
{
    return PyModuleDef_Init(&native_module);
}
