/* SPDX-License-Identifier: Apache-2.0 */
/* Python's side of the compiled search: takes int64 arrays and checks them. */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include "packcore.h"

enum { ARRAYS = 15, ARRAY_WEIGHT = 13, ARRAY_OFFSET = 14, FIRST_ARRAY = 5, ARGUMENTS = 21 };

/* Sums of all sizes, distances and alignments stay below this, so nothing overflows. */
#define GREATEST (INT64_C(1) << 58)

static const char *const array_names[ARRAYS] = {
    "size",       "align",       "last_offset", "rank",    "first",
    "last",       "pinned",      "edge_start",  "edge_to", "edge_above",
    "edge_below", "edge_shared", "most_saved",  "weight",  "offset",
};

static bool take_array(PyObject *object, int index, Py_ssize_t items, Py_buffer *view)
{
    int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT;
    if (index == ARRAY_WEIGHT || index == ARRAY_OFFSET) {
        flags |= PyBUF_WRITABLE;
    }
    if (PyObject_GetBuffer(object, view, flags) != 0) {
        return false;
    }
    const char *format = view->format == NULL ? "B" : view->format;
    bool integers = (format[0] == 'q' || (format[0] == 'l' && sizeof(long) == 8U)) &&
                    format[1] == '\0' && view->itemsize == 8;
    if (!integers || view->len != items * 8) {
        PyErr_Format(PyExc_ValueError, "%s: expected %zd 64-bit integers", array_names[index],
                     items);
        PyBuffer_Release(view);
        return false;
    }
    return true;
}

static bool in_range(const int64_t *values, int64_t count, int64_t low, int64_t high)
{
    bool ok = true;
    for (int64_t i = 0; ok && i < count; i++) {
        ok = values[i] >= low && values[i] <= high;
    }
    return ok;
}

static bool sum_fits(const int64_t *values, int64_t count, int64_t *sum)
{
    bool ok = true;
    for (int64_t i = 0; ok && i < count; i++) {
        ok = values[i] >= 0 && values[i] < GREATEST - *sum;
        *sum += ok ? values[i] : 0;
    }
    return ok;
}

static const char *mistake(const packcore_table *t, int64_t edges)
{
    int64_t sum = 0;
    bool ordered = t->edge_start[0] == 0 && t->edge_start[t->count] == edges;
    for (int64_t i = 0; ordered && i < t->count; i++) {
        ordered = t->edge_start[i] <= t->edge_start[i + 1];
    }
    if (!ordered || !in_range(t->edge_to, edges, 0, t->count - 1)) {
        return "edges are not a list per buffer";
    }
    if (!in_range(t->first, t->count, 0, t->sections - 1) ||
        !in_range(t->last, t->count, 1, t->sections)) {
        return "live sections out of range";
    }
    for (int64_t i = 0; i < t->count; i++) {
        if (t->first[i] >= t->last[i]) {
            return "live sections are empty";
        }
    }
    if (!in_range(t->align, t->count, 1, GREATEST) || !sum_fits(t->align, t->count, &sum) ||
        !sum_fits(t->size, t->count, &sum)) {
        return "sizes or alignments out of range";
    }
    if (!in_range(t->edge_above, edges, 0, GREATEST / (t->count + 1)) ||
        !in_range(t->edge_below, edges, 0, GREATEST / (t->count + 1)) ||
        !in_range(t->edge_shared, edges, 0, GREATEST / (edges + 1)) ||
        !in_range(t->pinned, t->count, -1, GREATEST) ||
        !in_range(t->last_offset, t->count, -GREATEST, GREATEST) ||
        !in_range(t->most_saved, t->sections, 0, GREATEST) ||
        !in_range(t->weight, t->sections, 1, INT64_C(1) << 40)) {
        return "distances, limits or weights out of range";
    }
    return t->capacity < 0 || t->capacity > GREATEST ? "capacity out of range" : NULL;
}

static bool poll(void *data)
{
    PyObject *answer = NULL;
    int stop = 1;
    if (PyErr_CheckSignals() == 0) {
        answer = PyObject_CallNoArgs((PyObject *)data);
    }
    if (answer != NULL) {
        stop = PyObject_IsTrue(answer);
        Py_DECREF(answer);
    }
    return stop != 0;
}

/* Whether what is written to overlaps nothing that is read. */
static bool apart(const Py_buffer *views)
{
    bool ok = true;
    for (int i = ARRAY_WEIGHT; i <= ARRAY_OFFSET; i++) {
        for (int j = 0; ok && j < ARRAYS; j++) {
            uintptr_t one = (uintptr_t)views[i].buf, two = (uintptr_t)views[j].buf;
            ok = i == j || views[j].len == 0 || one + (uintptr_t)views[i].len <= two ||
                 two + (uintptr_t)views[j].len <= one;
        }
    }
    if (!ok) {
        PyErr_SetString(PyExc_ValueError, "weight and offset must be arrays of their own");
    }
    return ok;
}

typedef packcore_status solver(const packcore_table *table, int64_t *nodes, int64_t *over);

static PyObject *run(solver *solve, packcore_table *table, int64_t edges)
{
    const char *wrong = mistake(table, edges);
    int64_t nodes, over;
    if (wrong != NULL) {
        PyErr_SetString(PyExc_ValueError, wrong);
        return NULL;
    }
    packcore_status status = solve(table, &nodes, &over);
    if (PyErr_Occurred() != NULL) {
        return NULL;
    }
    if (status == PACKCORE_NO_MEMORY) {
        return PyErr_NoMemory();
    }
    return Py_BuildValue("iLL", (int)status, (long long)nodes, (long long)over);
}

static bool take_numbers(PyObject *arguments, int64_t numbers[FIRST_ARRAY])
{
    for (int i = 0; i < FIRST_ARRAY; i++) {
        numbers[i] = PyLong_AsLongLong(PyTuple_GetItem(arguments, i));
        if (numbers[i] == -1 && PyErr_Occurred() != NULL) {
            return false;
        }
    }
    if (numbers[0] < 1 || numbers[1] < 1 || numbers[0] > INT32_MAX || numbers[1] > INT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "count and sections must be positive");
        return false;
    }
    return true;
}

static PyObject *call(solver *solve, PyObject *arguments)
{
    int64_t numbers[FIRST_ARRAY];
    Py_buffer views[ARRAYS];
    PyObject *result = NULL;
    int taken = 0;
    if (PyTuple_Size(arguments) != ARGUMENTS) {
        PyErr_Format(PyExc_TypeError, "takes %d arguments", ARGUMENTS);
        return NULL;
    }
    if (!take_numbers(arguments, numbers)) {
        return NULL;
    }
    Py_ssize_t count = (Py_ssize_t)numbers[0], sections = (Py_ssize_t)numbers[1];
    Py_ssize_t edges = PyObject_Length(PyTuple_GetItem(arguments, FIRST_ARRAY + 8));
    for (bool ok = edges >= 0; ok && taken < ARRAYS; taken += ok ? 1 : 0) {
        Py_ssize_t items = taken < 7 || taken == ARRAY_OFFSET ? count
                           : taken == 7                       ? count + 1
                           : taken < 12                       ? edges
                                                              : sections;
        ok = take_array(PyTuple_GetItem(arguments, FIRST_ARRAY + taken), taken, items,
                        &views[taken]);
    }
    if (taken == ARRAYS && apart(views)) {
        packcore_table table = {
            numbers[0],    numbers[1],
            numbers[2],    numbers[3],
            numbers[4],    views[0].buf,
            views[1].buf,  views[2].buf,
            views[3].buf,  views[4].buf,
            views[5].buf,  views[6].buf,
            views[7].buf,  views[8].buf,
            views[9].buf,  views[10].buf,
            views[11].buf, views[12].buf,
            views[13].buf, views[14].buf,
            poll,          PyTuple_GetItem(arguments, ARGUMENTS - 1),
        };
        result = run(solve, &table, (int64_t)edges);
    }
    while (taken > 0) {
        PyBuffer_Release(&views[--taken]);
    }
    return result;
}

static PyObject *search(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    return call(packcore_search, arguments);
}

static PyObject *rearrange(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    return call(packcore_rearrange, arguments);
}

static PyMethodDef methods[] = {
    {"search", search, METH_VARARGS,
     "search(count, sections, capacity, rule, node_limit, size, align, last_offset, rank, "
     "first, last, pinned, edge_start, edge_to, edge_above, edge_below, edge_shared, most_saved, "
     "weight, offset, poll) -> (status, nodes, over); see search.py."},
    {"rearrange", rearrange, METH_VARARGS,
     "Takes and returns what search() does: (status, rounds, top); see wheel.py."},
    {NULL, NULL, 0, NULL},
};

/* Grows with every change of arguments or results; compiled.py asks for it. */
#define INTERFACE 3

static int add_constants(PyObject *module)
{
    return PyModule_AddIntConstant(module, "INTERFACE", INTERFACE);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)add_constants}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    "_packcore",
    "Compiled twin of mcuplan.solvers.packing.search.",
    0,
    methods,
    slots,
    NULL,
    NULL,
    NULL,
};

PyMODINIT_FUNC PyInit__packcore(void)
{
    return PyModuleDef_Init(&definition);
}
