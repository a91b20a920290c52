/* A look over an event's JSON text: `_may_exceed` of antinode/_encoding/encoder.py, which is the reference. */

#include "slots.h"

/* Where the string that begins at `text`, behind its quote, ends: at the closing quote, or at `end`. */
static const char *
end_of_string(const char *text, const char *end)
{
    const char *quote = text;
    while ((quote = memchr(quote, '"', (size_t)(end - quote))) != NULL) {
        const char *before = quote;
        while (before > text && before[-1] == '\\') {
            before--;
        }
        if ((quote - before) % 2 == 0) {
            return quote;
        }
        quote++;
    }
    return end;
}

/* Whether a string is longer than so many bytes of JSON, there are more properties, or more layers. */
int
antinode_exceeds(const char *text, Py_ssize_t size, Py_ssize_t max_string, Py_ssize_t max_properties,
                 Py_ssize_t max_layers)
{
    const char *end = text + size;
    Py_ssize_t properties = 0, layers = 0;
    for (; text < end; text++) {
        switch (*text) {
        case '"': {
            const char *close = end_of_string(text + 1, end);
            if (close - (text + 1) > max_string) {
                return 1;
            }
            text = close;
            break;
        }
        case ':':
            if (++properties > max_properties) {
                return 1;
            }
            break;
        case '{':
        case '[':
            if (++layers > max_layers) {
                return 1;
            }
            break;
        case '}':
        case ']':
            layers--;
            break;
        }
    }
    return 0;
}

/* exceeds(text, max_string, max_properties, max_layers) */
PyObject *
antinode_exceeds_of(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    if (count != 4 || !PyBytes_CheckExact(args[0])) {
        PyErr_SetString(PyExc_TypeError, "give text, max_string, max_properties and max_layers");
        return NULL;
    }
    Py_ssize_t limits[3];
    for (int which = 0; which < 3; which++) {
        limits[which] = PyLong_AsSsize_t(args[which + 1]);
        if (limits[which] == -1 && PyErr_Occurred()) {
            return NULL;
        }
    }
    return PyBool_FromLong(antinode_exceeds(PyBytes_AS_STRING(args[0]), PyBytes_GET_SIZE(args[0]), limits[0],
                                            limits[1], limits[2]));
}
