/* Records of the spool: one is stored into mapped memory by `store_frame` of antinode/_spool/writers.py, and those that lie
   one behind the other are read by `whole_frames` of antinode/_spool/scanning.py, which are the reference, each in one call.
   The format is told in docs/spool-format.md. */

#include "crc.h"

#define MAGIC 0xF5A5CB9Du

static void
put_u32(unsigned char *to, uint32_t number)
{
    for (int byte = 0; byte < 4; byte++) {
        to[byte] = (unsigned char)(number >> 8 * byte);
    }
}

void
antinode_put_frame(unsigned char *to, uint32_t salt, uint32_t nth, double logged_at, PyObject *body)
{
    unsigned char head[FRAME_SIZE];
    uint64_t clock;
    const unsigned char *data = (const unsigned char *)PyBytes_AS_STRING(body);
    Py_ssize_t length = PyBytes_GET_SIZE(body);
    memcpy(&clock, &logged_at, sizeof clock);
    put_u32(head + 4, MAGIC);
    put_u32(head + 8, nth);
    put_u32(head + 12, (uint32_t)length);
    put_u32(head + 16, (uint32_t)clock);
    put_u32(head + 20, (uint32_t)(clock >> 32));
    put_u32(head, antinode_crc(antinode_crc(salt, head + 4, FRAME_SIZE - 4), data, length));
    memcpy(to, head, FRAME_SIZE);
    memcpy(to + FRAME_SIZE, data, (size_t)length);
}

/* store_frame(mapped, start, salt, nth, logged_at, body): the mapped memory must have the room. */
PyObject *
antinode_store_frame(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    if (count != 6 || !PyBytes_CheckExact(args[5])) {
        PyErr_SetString(PyExc_TypeError, "give mapped, start, salt, nth, logged_at and body");
        return NULL;
    }
    Py_ssize_t start = PyLong_AsSsize_t(args[1]);
    unsigned long salt = PyLong_AsUnsignedLong(args[2]);
    unsigned long nth = PyErr_Occurred() ? 0 : PyLong_AsUnsignedLong(args[3]);
    double logged_at = PyErr_Occurred() ? 0 : PyFloat_AsDouble(args[4]);
    Py_buffer mapped;
    if (PyErr_Occurred() || PyObject_GetBuffer(args[0], &mapped, PyBUF_WRITABLE) < 0) {
        return NULL;
    }
    Py_ssize_t length = PyBytes_GET_SIZE(args[5]);
    if (start < 0 || length > mapped.len || start > mapped.len - FRAME_SIZE - length || length > (Py_ssize_t)UINT32_MAX) {
        PyBuffer_Release(&mapped);
        PyErr_SetString(PyExc_ValueError, "the frame does not fit there");
        return NULL;
    }
    antinode_put_frame((unsigned char *)mapped.buf + start, (uint32_t)salt, (uint32_t)nth, logged_at, args[5]);
    PyBuffer_Release(&mapped);
    Py_RETURN_NONE;
}

static uint32_t
get_u32(const unsigned char *from)
{
    return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

/* The length of the body of the `nth` frame, which begins here, with `size` bytes from here on; -1 if it is not whole. */
static Py_ssize_t
whole_length(const unsigned char *frame, Py_ssize_t size, uint32_t nth, uint32_t salt)
{
    if (size < FRAME_SIZE || get_u32(frame + 4) != MAGIC || get_u32(frame + 8) != nth) {
        return -1;
    }
    uint32_t length = get_u32(frame + 12);
    if (length > (uint64_t)(size - FRAME_SIZE)) {
        return -1;
    }
    return antinode_crc(salt, frame + 4, FRAME_SIZE - 4 + (Py_ssize_t)length) == get_u32(frame) ? (Py_ssize_t)length : -1;
}

/* When it was logged: the same object as for the one before, if it was at the same time. */
static PyObject *
time_of(const unsigned char *frame, PyObject *former, uint64_t *bits)
{
    uint64_t clock = get_u32(frame + 16) | (uint64_t)get_u32(frame + 20) << 32;
    if (former != NULL && clock == *bits) {
        return Py_NewRef(former);
    }
    double logged_at;
    *bits = clock;
    memcpy(&logged_at, &clock, sizeof logged_at);
    return PyFloat_FromDouble(logged_at);
}

static int
append_new(PyObject *list, PyObject *object)
{
    int failed = object == NULL || PyList_Append(list, object) < 0;
    Py_XDECREF(object);
    return failed ? -1 : 0;
}

/* whole_frames(data, start, stop, nth, salt) */
PyObject *
antinode_whole_frames(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    if (count != 5 || !PyBytes_CheckExact(args[0])) {
        PyErr_SetString(PyExc_TypeError, "give data, start, stop, nth and salt");
        return NULL;
    }
    Py_ssize_t start = PyLong_AsSsize_t(args[1]);
    Py_ssize_t stop = PyErr_Occurred() ? 0 : PyLong_AsSsize_t(args[2]);
    unsigned long nth = PyErr_Occurred() ? 0 : PyLong_AsUnsignedLong(args[3]);
    unsigned long salt = PyErr_Occurred() ? 0 : PyLong_AsUnsignedLong(args[4]);
    if (PyErr_Occurred()) {
        return NULL;
    }
    if (start < 0 || stop > PyBytes_GET_SIZE(args[0])) {
        PyErr_SetString(PyExc_ValueError, "there are no such bytes");
        return NULL;
    }
    const unsigned char *data = (const unsigned char *)PyBytes_AS_STRING(args[0]);
    PyObject *times = PyList_New(0), *bodies = PyList_New(0), *found = NULL, *former = NULL;
    uint64_t bits = 0;
    Py_ssize_t length;
    if (times == NULL || bodies == NULL) {
        goto end;
    }
    for (; nth <= UINT32_MAX && (length = whole_length(data + start, stop - start, (uint32_t)nth, (uint32_t)salt)) >= 0; nth++) {
        const unsigned char *frame = data + start;
        former = time_of(frame, former, &bits);
        if (append_new(times, former) < 0
            || append_new(bodies, PyBytes_FromStringAndSize((const char *)frame + FRAME_SIZE, length)) < 0) {
            goto end;
        }
        start += FRAME_SIZE + length;
    }
    found = Py_BuildValue("nOO", start, times, bodies);
end:
    Py_XDECREF(times);
    Py_XDECREF(bodies);
    return found;
}
