/* SPDX-License-Identifier: 0BSD */
/* mplan_trees_f32.h - decision trees over float32 features: what their leaves say, summed. */
#ifndef MPLAN_TREES_F32_H
#define MPLAN_TREES_F32_H

#include "mplan.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Nodes of all trees in one row. At a split a sample goes on to the next node where its feature is
 * at most the threshold (or is no number, and the top bit of the node's feature is set), else jump
 * nodes ahead. At a leaf, whose feature is 0x7fff, jump is its number: votes vote[leaf] up to
 * vote[leaf + 1] are its own.
 *
 * Thresholds are the bits of floats as integers of the same order (those of a negative number
 * inverted but for the sign), so that no float is compared: cores without an FPU are as fast.
 */
typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t out_rows;
    const uint16_t *feature;  /* [nodes] */
    const int32_t *threshold; /* [nodes] */
    const uint16_t *jump;     /* [nodes], at least 1 at a split */
    const uint16_t *vote;     /* [leaves + 1] */
    const uint16_t *root;     /* [trees], index of a node */
    const uint16_t *target;   /* [votes] */
    const float *weight;      /* [votes] */
    const float *base;        /* [targets] */
    uint32_t trees;
    uint32_t targets;
    uint32_t pixels; /* per row */
    uint32_t features;
} mplan_trees_f32_t;

/**
 * Rows [y0, y1). in: [rows][pixels][features], out: [rows][pixels][targets] of floats, each at a
 * multiple of 4 bytes: votes summed tree by tree, then base. out must not overlap the input rows
 * that are still to be read.
 */
void mplan_trees_f32(const mplan_trees_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                     size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_TREES_F32_H */
