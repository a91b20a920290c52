/* Typed events, made in C: what the constructor that _typed_events.py writes for a class does, for a call that names each
   required property once and nothing unknown. Every other call goes to that constructor, which says what is wrong with it. */

#include "typed.h"

typedef struct {
    PyObject *name;     /* of the argument, interned */
    PyObject *key;      /* in the event, or in its properties */
    PyObject *absent;   /* what stands for an argument that is not given; NULL: it has to be */
    int is_property;
} Parameter;

typedef struct {
    PyObject_HEAD
    PyObject *init;         /* the constructor in Python; where it was replaced, this is not used */
    PyObject *event;        /* each begins as a copy of these two */
    PyObject *properties;
    PyObject *n_properties; /* the key of the properties in the event */
    Py_ssize_t at_event;    /* in the object */
    Py_ssize_t count;
    Parameter *parameters;  /* in their order in the event */
} Maker;

static void Maker_dealloc(PyObject *object);

/* The class's own entry; a borrowed reference, or NULL. */
static PyObject *
own(PyTypeObject *type, const char *name)
{
    PyObject *interned = PyUnicode_InternFromString(name);
    PyObject *found = interned == NULL ? NULL : PyDict_GetItemWithError(type->tp_dict, interned);
    Py_XDECREF(interned);
    return found;
}

/* What makes the objects of this class; a borrowed reference, or NULL when that is left to Python, maybe with an error set. */
static Maker *
maker_of(PyTypeObject *type)
{
    PyObject *found = own(type, "_maker");
    if (found == NULL || Py_TYPE(found)->tp_dealloc != Maker_dealloc || type->tp_new != PyBaseObject_Type.tp_new
        || (type->tp_flags & Py_TPFLAGS_IS_ABSTRACT)) {
        return NULL;
    }
    Maker *maker = (Maker *)found;
    return maker->init != NULL && own(type, "__init__") == maker->init ? maker : NULL;
}

/* Put each argument at the place of its parameter: whether all are known, and none is missing. */
static int
place_arguments(Maker *maker, PyObject *const *args, PyObject *names, PyObject **values)
{
    Py_ssize_t given = names == NULL ? 0 : PyTuple_GET_SIZE(names), at = 0;
    for (Py_ssize_t which = 0; which < given; which++) {
        /* Arguments are mostly in the order of the parameters. */
        PyObject *name = PyTuple_GET_ITEM(names, which);
        Py_ssize_t tried = 0;
        while (tried < maker->count && maker->parameters[at].name != name) {
            at = at + 1 == maker->count ? 0 : at + 1;
            tried++;
        }
        if (tried == maker->count || values[at] != NULL) {
            return 0;
        }
        values[at] = args[which];
    }
    for (at = 0; at < maker->count; at++) {
        if (values[at] == NULL && (values[at] = maker->parameters[at].absent) == NULL) {
            return 0;
        }
    }
    return 1;
}

/* The dict of an event of these values; NULL with an error set. */
static PyObject *
make_event(Maker *maker, PyObject *const *values)
{
    PyObject *properties = PyDict_Copy(maker->properties);
    PyObject *event = properties == NULL ? NULL : PyDict_Copy(maker->event);
    int failed = event == NULL || PyDict_SetItem(event, maker->n_properties, properties) < 0;
    for (Py_ssize_t at = 0; !failed && at < maker->count; at++) {
        const Parameter *each = &maker->parameters[at];
        if (values[at] != Py_None || each->absent == NULL) {
            failed = PyDict_SetItem(each->is_property ? properties : event, each->key, values[at]) < 0;
        }
    }
    Py_XDECREF(properties);
    if (failed) {
        Py_CLEAR(event);
    }
    return event;
}

/* As the class would be called without all this. */
static PyObject *
in_python(PyObject *type, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    PyObject *made = NULL, *unnamed = PyTuple_New(count), *named = PyDict_New();
    if (unnamed == NULL || named == NULL) {
        goto end;
    }
    for (Py_ssize_t at = 0; at < count; at++) {
        PyTuple_SET_ITEM(unnamed, at, Py_NewRef(args[at]));
    }
    for (Py_ssize_t at = 0; names != NULL && at < PyTuple_GET_SIZE(names); at++) {
        if (PyDict_SetItem(named, PyTuple_GET_ITEM(names, at), args[count + at]) < 0) {
            goto end;
        }
    }
    made = Py_TYPE(type)->tp_call(type, unnamed, named);
end:
    Py_XDECREF(unnamed);
    Py_XDECREF(named);
    return made;
}

static PyObject *
make(PyObject *object, PyObject *const *args, size_t flags, PyObject *names)
{
    PyTypeObject *type = (PyTypeObject *)object;
    Py_ssize_t count = PyVectorcall_NARGS(flags);
    PyObject *few[48] = {NULL}, **values = few, *event = NULL, *made = NULL;
    Maker *maker = count != 0 ? NULL : maker_of(type);
    if (maker == NULL) {
        return PyErr_Occurred() ? NULL : in_python(object, args, count, names);
    }
    /* What runs as values are replaced, or memory is short, may change the class. */
    Py_INCREF(maker);
    if (maker->count > (Py_ssize_t)(sizeof few / sizeof *few)) {
        values = PyMem_Calloc((size_t)maker->count, sizeof *values);
        if (values == NULL) {
            Py_DECREF(maker);
            return PyErr_NoMemory();
        }
    }
    int is_plain = place_arguments(maker, args, names, values);
    if (is_plain && (event = make_event(maker, values)) != NULL) {
        made = type->tp_alloc(type, 0);
        if (made != NULL) {
            *slot(made, maker->at_event) = Py_NewRef(event);
        }
    }
    Py_XDECREF(event);
    if (values != few) {
        PyMem_Free(values);
    }
    Py_DECREF(maker);
    return is_plain ? made : in_python(object, args, count, names);
}

/* quicken(type): from here on a call of the type goes to its `_maker`. */
PyObject *
antinode_quicken(PyObject *Py_UNUSED(module), PyObject *type)
{
    if (!PyType_Check(type) || !(((PyTypeObject *)type)->tp_flags & Py_TPFLAGS_HEAPTYPE)) {
        PyErr_SetString(PyExc_TypeError, "give a class");
        return NULL;
    }
    ((PyTypeObject *)type)->tp_vectorcall = make;
    Py_RETURN_NONE;
}

/* One of the parameters, given as (name, key, is_property, is_required, what stands for it); -1 with an error set. */
static int
take_parameter(Parameter *parameter, PyObject *given)
{
    PyObject *name, *key, *absent;
    int is_required;
    if (!PyTuple_CheckExact(given)) {
        PyErr_SetString(PyExc_TypeError, "a parameter is a tuple");
        return -1;
    }
    if (!PyArg_ParseTuple(given, "UUppO", &name, &key, &parameter->is_property, &is_required, &absent)) {
        return -1;
    }
    parameter->name = Py_NewRef(name);
    PyUnicode_InternInPlace(&parameter->name);
    parameter->key = Py_NewRef(key);
    parameter->absent = is_required ? NULL : Py_NewRef(absent);
    return 0;
}

/* Maker(init, slot, event, properties, parameters) */
static PyObject *
Maker_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"init", "slot", "event", "properties", "parameters", NULL};
    PyObject *init, *place, *event, *properties, *parameters;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOO!O!O!", names, &init, &place, &PyDict_Type, &event, &PyDict_Type,
                                     &properties, &PyTuple_Type, &parameters)) {
        return NULL;
    }
    Py_ssize_t at_event = antinode_place_of(place, T_OBJECT_EX);
    Maker *maker = at_event < 0 ? NULL : (Maker *)type->tp_alloc(type, 0);
    if (maker == NULL) {
        return NULL;
    }
    maker->at_event = at_event;
    maker->init = Py_NewRef(init);
    maker->event = PyDict_Copy(event);
    maker->properties = PyDict_Copy(properties);
    maker->parameters = PyMem_Calloc((size_t)PyTuple_GET_SIZE(parameters) + 1, sizeof *maker->parameters);
    maker->n_properties = PyUnicode_InternFromString("event_properties");
    int failed = maker->event == NULL || maker->properties == NULL || maker->n_properties == NULL;
    if (maker->parameters == NULL && !failed) {
        PyErr_NoMemory();
        failed = 1;
    }
    while (!failed && maker->count < PyTuple_GET_SIZE(parameters)) {
        failed = take_parameter(&maker->parameters[maker->count], PyTuple_GET_ITEM(parameters, maker->count)) < 0;
        maker->count++;
    }
    if (failed) {
        Py_DECREF(maker);
        return NULL;
    }
    return (PyObject *)maker;
}

static int
Maker_traverse(PyObject *object, visitproc visit, void *arg)
{
    Maker *maker = (Maker *)object;
    Py_VISIT(maker->init);
    Py_VISIT(maker->event);
    Py_VISIT(maker->properties);
    for (Py_ssize_t at = 0; at < maker->count; at++) {
        Py_VISIT(maker->parameters[at].absent);
    }
    Py_VISIT(Py_TYPE(object));
    return 0;
}

static int
Maker_clear(PyObject *object)
{
    Maker *maker = (Maker *)object;
    Py_ssize_t count = maker->count;
    maker->count = 0;
    Py_CLEAR(maker->init);
    Py_CLEAR(maker->event);
    Py_CLEAR(maker->properties);
    Py_CLEAR(maker->n_properties);
    for (Py_ssize_t at = 0; at < count; at++) {
        Py_CLEAR(maker->parameters[at].name);
        Py_CLEAR(maker->parameters[at].key);
        Py_CLEAR(maker->parameters[at].absent);
    }
    return 0;
}

static void
Maker_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    Maker_clear(object);
    PyMem_Free(((Maker *)object)->parameters);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyType_Slot Maker_slots[] = {
    {Py_tp_doc, (void *)PyDoc_STR("What makes the events of one class, as its constructor in Python does.")},
    {Py_tp_new, Maker_new},
    {Py_tp_dealloc, Maker_dealloc},
    {Py_tp_traverse, Maker_traverse},
    {Py_tp_clear, Maker_clear},
    {0, NULL},
};

PyType_Spec antinode_maker_spec = {
    .name = "antinode._native.Maker",
    .basicsize = sizeof(Maker),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = Maker_slots,
};
