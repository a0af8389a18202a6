/* SPDX-License-Identifier: 0BSD */
/* mplan_trees_s8.h - decision trees over int8 features: what their leaves say, summed. */
#ifndef MPLAN_TREES_S8_H
#define MPLAN_TREES_S8_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Nodes of all trees in one row. At a split a sample goes on to the next node where its feature is
 * at most the threshold, else jump nodes ahead. At a leaf, whose feature is 0x7fff, jump is its
 * number: votes vote[leaf] up to vote[leaf + 1] are its own.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const uint16_t *feature;  /* [nodes]; the top bit means nothing here */
    const int16_t *threshold; /* [nodes] */
    const uint16_t *jump;     /* [nodes], at least 1 at a split */
    const uint16_t *vote;     /* [leaves + 1] */
    const uint16_t *root;     /* [trees], index of a node */
    const uint16_t *target;   /* [votes] */
    const int32_t *weight;    /* [votes], steps of the output times 2^shift */
    const int32_t *base;      /* [targets], the same */
    uint32_t trees;
    uint32_t targets;
    uint32_t pixels; /* per row */
    uint32_t features;
    uint32_t shift;
    int32_t out_zero_point;
} mplan_trees_s8_t;

/**
 * Rows [y0, y1). in: [rows][pixels][features], out: [rows][pixels][targets], each
 * clamp(out_zero_point + (base + votes, rounded half up by shift)). scratch: int32_t[targets].
 * out must not overlap the input rows that are still to be read.
 */
void mplan_trees_s8(const mplan_trees_s8_t *p, const int8_t *in, int8_t *out, size_t y0, size_t y1,
                    int8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_TREES_S8_H */
