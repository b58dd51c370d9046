/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Between flit_end.c and flit_link.c. */
#ifndef HSLTEST_FLIT_PRIV_H
#define HSLTEST_FLIT_PRIV_H

#include "flit_end.h"

/* Room for one more element: list, perhaps at another place. */
void *fe_grow(void *list, size_t n, size_t *room, size_t size);
void fe_record(struct fe *e, uint64_t time_ps, bool from_dut, uint8_t kind, const void *body, size_t len);
void fe_flit_leaves(struct fe *e, const struct hsl_flit *f);
void fe_go(struct fe *e, uint32_t state);

void fe_link_reset(struct fe *e);
void fe_link_retrained(struct fe *e);
void fe_rx(struct fe *e, const struct hsl_flit *f);
void fe_speak(struct fe *e); /* what is to be acknowledged */
void fe_replay(struct fe *e);

#endif
