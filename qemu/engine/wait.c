// SPDX-License-Identifier: MIT OR Apache-2.0
#include "engine_priv.h"
uint32_t hsl_exec_wait(struct hsl_queue_engine *q, struct hsl_worker *w, uint64_t *fault_ga)
{
    (void)q; (void)w; (void)fault_ga;
    return HSL_ST_OPCODE;
}
void hsl_wait_wake(struct hsl_fabric_engine *f, uint64_t ga)
{
    (void)f; (void)ga;
}
