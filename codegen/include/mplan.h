/* SPDX-License-Identifier: 0BSD */
/* mplan.h - what every kernel and every generated model shares. */
#ifndef MPLAN_H
#define MPLAN_H

#include <stddef.h>
#include <stdint.h>

/*
 * Options, the same for every file of an image. An application sets them in a header of its own,
 * which -DMPLAN_CONFIG_H='"my_mplan.h"' names, or each by -D. In C++ that header is C++.
 *
 * MPLAN_ARENA_ALIGN         alignment of arenas in bytes, checked at run time: a power of two, at
 *                           least 4. 32 keeps an arena apart from other objects in a data cache.
 * MPLAN_STEP_HOOK(step, ctx) runs after every step of a model; NAME.h says what it counts.
 * MPLAN_ALIGNED(n), MPLAN_SECTION(name), MPLAN_KERNEL, MPLAN_APART
 *                           the only compiler extensions that generated code and portable kernels
 *                           use. MPLAN_KERNEL stands before the definition of a kernel: every
 *                           folder of a model has the kernels that it calls, and of equal ones in
 *                           an image the linker takes one. The others are dropped with
 *                           -ffunction-sections and -Wl,--gc-sections.
 */
#ifdef MPLAN_CONFIG_H
#include MPLAN_CONFIG_H
#endif

#ifndef MPLAN_ARENA_ALIGN
#define MPLAN_ARENA_ALIGN 4
#endif
#ifndef MPLAN_STEP_HOOK
#define MPLAN_STEP_HOOK(step, ctx) ((void)0)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Library and generated code of one version belong together: compared when NAME.h is compiled and,
 * with GNU tools, when several models are linked.
 */
#define MPLAN_ABI_VERSION 1

typedef enum {
    MPLAN_OK = 0,
    MPLAN_ERR_NULL = 1,  /* a pointer of the context is NULL */
    MPLAN_ERR_ALIGN = 2, /* an arena is not aligned to MPLAN_ARENA_ALIGN bytes */
    MPLAN_ERR_ORDER = 3, /* calls came in the wrong order */
    MPLAN_MORE = 4       /* no error: the same call again does more of the work */
} mplan_status_t;

#if defined(__GNUC__) || defined(__clang__) || defined(__ICCARM__)
#ifndef MPLAN_ALIGNED
#define MPLAN_ALIGNED(n) __attribute__((aligned(n)))
#endif
#ifndef MPLAN_SECTION
#define MPLAN_SECTION(name) __attribute__((section(name)))
#endif
#ifndef MPLAN_KERNEL
#define MPLAN_KERNEL __attribute__((weak))
#endif
#elif !defined(MPLAN_ALIGNED) || !defined(MPLAN_SECTION) || !defined(MPLAN_KERNEL)
#error "mplan: unknown compiler; define MPLAN_ALIGNED(n), MPLAN_SECTION(name) and MPLAN_KERNEL"
#endif

/* In every NAME.c: models of different ABI versions do not link. It takes no bytes. */
#if defined(__GNUC__) && defined(__ELF__) && !defined(__ARMCC_VERSION)
#define MPLAN_ABI_TEXT(version) #version
#define MPLAN_ABI_SET(version) \
    __asm__(".globl mplan_abi_version\n.set mplan_abi_version, " MPLAN_ABI_TEXT(version));
#define MPLAN_ABI_MARK MPLAN_ABI_SET(MPLAN_ABI_VERSION)
#else
#define MPLAN_ABI_MARK
#endif

/* Before a function that is long enough to be in a file once, and in it only when called. */
#ifndef MPLAN_APART
#if defined(__GNUC__) || defined(__clang__)
#define MPLAN_APART __attribute__((noinline, unused))
#else
#define MPLAN_APART inline
#endif
#endif

/* Conversions that C++ does not call old-fashioned. */
#ifdef __cplusplus
#define MPLAN_CAST(type, value) static_cast<type>(value)
#else
#define MPLAN_CAST(type, value) ((type)(value))
#endif

#if defined(__BYTE_ORDER__) && (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
#error "mplan: constants are laid out for little-endian cores"
#endif

/** Stops the build where a constant condition is false, in C99, too; `name` says what must be. */
#define MPLAN_STATIC_ASSERT(name, condition) typedef char name[(condition) ? 1 : -1]

/** For it: a member lies at the byte that assembly has for it. */
#define MPLAN_AT(type, member, byte) (offsetof(type, member) == (byte))

/**
 * Before a function of assembly alone, into which no flag may put a word: -fstack-protector-all
 * would write to its caller's frame, -finstrument-functions and --coverage take registers.
 * Compilers before GCC 11 cannot leave the first out: with it such kernels do not compile. Nor with
 * -frwpi: r9 would be the base of data in interrupts, too, and here it is any register.
 */
#if defined(__has_attribute)
#if __has_attribute(no_profile_instrument_function)
#define MPLAN_UNCOUNTED __attribute__((no_profile_instrument_function))
#endif
#endif
#if !defined(MPLAN_UNCOUNTED)
#define MPLAN_UNCOUNTED
#endif
#if defined(__has_attribute)
#if __has_attribute(no_stack_protector)
#define MPLAN_UNGUARDED __attribute__((no_stack_protector))
#endif
#endif
#if !defined(MPLAN_UNGUARDED) && !defined(__SSP_ALL__)
#define MPLAN_UNGUARDED
#endif
#if defined(MPLAN_UNGUARDED) && !defined(__ARM_RWPI)
#define MPLAN_NAKED \
    __attribute__((naked, noinline, used, no_instrument_function)) MPLAN_UNCOUNTED MPLAN_UNGUARDED
#endif

/** In assembly that is entered at an address, without a landing pad there: BTI makes it a fault. */
#if defined(__ARM_FEATURE_BTI_DEFAULT)
#define MPLAN_ENTERED ".error \"mplan: loops are entered in their middle, not with BTI\"\n"
#else
#define MPLAN_ENTERED ""
#endif

/** In such: stops it where the code behind a label does not have so many bytes by here. */
#define MPLAN_CODE_BYTES(from, bytes)                            \
    MPLAN_ENTERED                                                \
    "9:\n.org . - (9b - " from ") + (" MPLAN_TEXT(bytes) ")\n"   \
    ".org . - (" MPLAN_TEXT(bytes) ") + (9b - " from ")\n"
#define MPLAN_TEXT(value) #value

/*
 * Rows within an arena begin at any byte. Where a core can read unaligned words (Armv7-M and later)
 * kernels do so: arenas lie in normal memory, not device memory, and CCR.UNALIGN_TRP stays 0.
 */
MPLAN_STATIC_ASSERT(mplan_arena_align_is_a_power_of_two_from_4_on,
                    (MPLAN_ARENA_ALIGN >= 4) &&
                        ((MPLAN_ARENA_ALIGN & (MPLAN_ARENA_ALIGN - 1)) == 0));

#if defined(__arm__)
/* Structs have the layout of the ABI (-fpack-struct), which assembly reads. */
typedef struct {
    uint8_t byte;
    uint32_t word;
} mplan_layout_t;
MPLAN_STATIC_ASSERT(mplan_structs_are_not_packed, sizeof(mplan_layout_t) == 8U);
#endif

/* The right shift of a negative value is arithmetic. */
MPLAN_STATIC_ASSERT(mplan_shift_is_arithmetic, (MPLAN_CAST(int32_t, -1) >> 1) == -1);
MPLAN_STATIC_ASSERT(mplan_wide_shift_is_arithmetic, (MPLAN_CAST(int64_t, -1) >> 1) == -1);

/** Where the rows of a tensor are, in bytes from the pointer passed beside it. */
typedef struct {
    uint32_t stride;       /* row y starts at y * stride, where table is NULL */
    const uint16_t *table; /* else at table[y] * stride */
} mplan_rows_t;

static inline size_t mplan_row(const mplan_rows_t *rows, size_t y)
{
    const size_t place = (rows->table != NULL) ? MPLAN_CAST(size_t, rows->table[y]) : y;

    return place * MPLAN_CAST(size_t, rows->stride);
}

/** value limited to [low, high]. */
static inline int32_t mplan_clamp(int32_t value, int32_t low, int32_t high)
{
    int32_t result = value;

    if (result < low) {
        result = low;
    }
    if (result > high) {
        result = high;
    }
    return result;
}

/** The same of a float; no number stays none. */
static inline float mplan_clamp_f32(float value, float low, float high)
{
    const float above = (value < low) ? low : value;

    return (above > high) ? high : above;
}

/**
 * round(acc * multiplier * 2^(pre_shift - 32)), halves up.
 * The generator has proved that |acc| * 2^pre_shift stays below 2^32 and the result below 2^30.
 */
static inline int32_t mplan_scale(int32_t acc, int32_t multiplier, uint32_t pre_shift)
{
    int64_t product = MPLAN_CAST(int64_t, acc) * MPLAN_CAST(int64_t, multiplier);

    if (pre_shift != 0U) {
        product *= MPLAN_CAST(int64_t, 1) << pre_shift;
    }
    return MPLAN_CAST(int32_t, (product + (MPLAN_CAST(int64_t, 1) << 31)) >> 32);
}

/**
 * round(acc * multiplier * 2^-32), halves up, for |acc| < 2^30 and 0 <= multiplier < 2^30: on cores
 * without a long multiply from products of 16-bit halves, none of whose sums overflows.
 */
static inline int32_t mplan_scale_30(int32_t acc, int32_t multiplier)
{
#if defined(__ARM_ARCH_ISA_THUMB) && (__ARM_ARCH_ISA_THUMB == 1)
    const int32_t high = acc >> 16;
    const int32_t low = acc & 0xFFFF;
    const int32_t by_high = multiplier >> 16;
    const int32_t by_low = multiplier & 0xFFFF;
    const uint32_t lows = MPLAN_CAST(uint32_t, low) * MPLAN_CAST(uint32_t, by_low);
    const int32_t lowest = MPLAN_CAST(int32_t, lows >> 16);

    return (high * by_high) + (((low * by_high) + (high * by_low) + lowest + 32768) >> 16);
#else
    const int64_t product = MPLAN_CAST(int64_t, acc) * MPLAN_CAST(int64_t, multiplier);

    return MPLAN_CAST(int32_t, (product + (MPLAN_CAST(int64_t, 1) << 31)) >> 32);
#endif
}

/**
 * For the application, which holds the real values: the integer nearest to real / scale +
 * zero_point, halves to even, limited to [low, high]. Kernels of integers use no floating point.
 */
static inline int32_t mplan_quantize(float real, float scale, int32_t zero_point, int32_t low,
                                     int32_t high)
{
    const float ratio = real / scale;
    int32_t result = zero_point;

    if ((ratio > -131072.0f) && (ratio < 131072.0f)) {
        int32_t whole = MPLAN_CAST(int32_t, ratio);
        const float rest = ratio - MPLAN_CAST(float, whole);

        if ((rest > 0.5f) || ((rest >= 0.5f) && ((whole % 2) != 0))) {
            whole++;
        } else if ((rest < -0.5f) || ((rest <= -0.5f) && ((whole % 2) != 0))) {
            whole--;
        } else {
            /* whole is the nearest */
        }
        result = mplan_clamp(whole + zero_point, low, high);
    } else if (ratio > 0.0f) {
        result = high;
    } else if (ratio < 0.0f) {
        result = low;
    } else {
        /* NaN becomes the zero point */
    }
    return result;
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_H */
