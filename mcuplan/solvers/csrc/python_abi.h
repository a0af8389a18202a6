/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both cores share of Python's side. Python.h, or where a machine has Python without it
 * (Debian's python3 without python3-dev), the part of the stable ABI of Python 3.11 (PEP 384) that
 * the cores use: its functions and structs are the same in every later version.
 */
#ifndef MCUPLAN_PYTHON_ABI_H
#define MCUPLAN_PYTHON_ABI_H

#if defined(__has_include) && !defined(MCUPLAN_WITHOUT_PYTHON_H)
#if !__has_include(<Python.h>)
#define MCUPLAN_WITHOUT_PYTHON_H
#endif
#endif

#ifndef MCUPLAN_WITHOUT_PYTHON_H

#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#else

#include <stddef.h>

typedef ptrdiff_t Py_ssize_t;
typedef struct _typeobject PyTypeObject;

typedef struct _object {
    Py_ssize_t ob_refcnt;
    PyTypeObject *ob_type;
} PyObject;

typedef struct {
    const char *ml_name;
    PyObject *(*ml_meth)(PyObject *, PyObject *);
    int ml_flags;
    const char *ml_doc;
} PyMethodDef;

typedef struct {
    PyObject ob_base;
    PyObject *(*m_init)(void);
    Py_ssize_t m_index;
    PyObject *m_copy;
} PyModuleDef_Base;

typedef struct {
    int slot;
    void *value;
} PyModuleDef_Slot;

struct PyModuleDef {
    PyModuleDef_Base m_base;
    const char *m_name;
    const char *m_doc;
    Py_ssize_t m_size;
    PyMethodDef *m_methods;
    PyModuleDef_Slot *m_slots;
    int (*m_traverse)(PyObject *, int (*)(PyObject *, void *), void *);
    int (*m_clear)(PyObject *);
    void (*m_free)(void *);
};

typedef struct {
    void *buf;
    PyObject *obj;
    Py_ssize_t len;
    Py_ssize_t itemsize;
    int readonly;
    int ndim;
    char *format;
    Py_ssize_t *shape;
    Py_ssize_t *strides;
    Py_ssize_t *suboffsets;
    void *internal;
} Py_buffer;

#define METH_VARARGS 0x0001
#define Py_mod_exec 2
#define PyBUF_WRITABLE 0x0001
#define PyBUF_FORMAT 0x0004
#define PyBUF_C_CONTIGUOUS (0x0020 | 0x0010 | 0x0008) /* with strides and shape */
#define MCUPLAN_TUPLE_FLAG (1UL << 26)                /* Py_TPFLAGS_TUPLE_SUBCLASS */

#define PyModuleDef_HEAD_INIT {{1, NULL}, NULL, 0, NULL}
#define PyMODINIT_FUNC PyObject *
#define Py_UNUSED(name) unused_##name __attribute__((unused))
#define Py_None (&_Py_NoneStruct)
#define Py_DECREF(object) Py_DecRef(object)
#define PyTuple_Check(object) ((PyType_GetFlags((object)->ob_type) & MCUPLAN_TUPLE_FLAG) != 0UL)

extern PyObject _Py_NoneStruct;
extern PyObject *PyExc_TypeError;
extern PyObject *PyExc_ValueError;

int PyArg_ParseTuple(PyObject *arguments, const char *format, ...);
void PyBuffer_Release(Py_buffer *view);
char *PyBytes_AsString(PyObject *object);
PyObject *PyBytes_FromStringAndSize(const char *text, Py_ssize_t size);
int PyErr_CheckSignals(void);
PyObject *PyErr_Format(PyObject *kind, const char *format, ...);
PyObject *PyErr_NoMemory(void);
PyObject *PyErr_Occurred(void);
void PyErr_SetString(PyObject *kind, const char *text);
long long PyLong_AsLongLong(PyObject *object);
PyObject *PyModuleDef_Init(struct PyModuleDef *definition);
int PyModule_AddIntConstant(PyObject *module, const char *name, long value);
PyObject *PyObject_CallNoArgs(PyObject *function);
int PyObject_GetBuffer(PyObject *object, Py_buffer *view, int flags);
int PyObject_IsTrue(PyObject *object);
Py_ssize_t PyObject_Length(PyObject *object);
PyObject *PyTuple_GetItem(PyObject *tuple, Py_ssize_t index);
Py_ssize_t PyTuple_Size(PyObject *tuple);
unsigned long PyType_GetFlags(PyTypeObject *type);
PyObject *Py_BuildValue(const char *format, ...);
void Py_DecRef(PyObject *object);

#endif

/* Whether a buffer holds so many 64-bit integers; asked for with PyBUF_FORMAT. */
static inline int holds_int64s(const Py_buffer *view, long long items)
{
    const char *format = view->format == NULL ? "B" : view->format;
    int wide = format[0] == 'q' || (format[0] == 'l' && sizeof(long) == 8U);

    return wide && format[1] == '\0' && view->itemsize == 8 && view->len == items * 8;
}

#endif
