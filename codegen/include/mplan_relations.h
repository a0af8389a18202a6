/* SPDX-License-Identifier: 0BSD */
/* mplan_relations.h - how two numbers may stand to each other. */
#ifndef MPLAN_RELATIONS_H
#define MPLAN_RELATIONS_H

#include "mplan.h"

#define MPLAN_LESS (1U)
#define MPLAN_EQUAL (2U)
#define MPLAN_GREATER (4U)

#endif /* MPLAN_RELATIONS_H */
