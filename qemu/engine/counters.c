// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Counters of links, caches, homes and packets (docs/hep.md section 10.1) as registers. The modelled
 * fabric counts and never forgets, whatever becomes of links, chips and their registers. A read
 * waits for its turn at the fabric, as a load through a modelled window does.
 */
#include "engine_priv.h"
#include "model/fab.h"

/* Of one end of a link. */
struct link_counters {
    struct hsl_link_stats link;
    uint64_t retrains, downs;
};

static uint64_t link_counter(const struct link_counters *s, uint64_t o)
{
    const struct hsl_link_stats *l = &s->link;

    switch (o) {
    case HSL_LINK_STAT_TX_FLITS: return l->tx_flits - l->tx_idle;
    case HSL_LINK_STAT_RX_FLITS: return l->rx_taken;
    case HSL_LINK_STAT_TX_REPLAYED: return l->tx_replayed;
    case HSL_LINK_STAT_RX_BAD: return l->rx_bad;
    case HSL_LINK_STAT_RX_DISCARDED:
        return l->rx_flits - l->rx_idle - l->rx_bad - l->rx_impossible - l->rx_taken;
    case HSL_LINK_STAT_TX_NAKS: return l->tx_naks;
    case HSL_LINK_STAT_RX_NAKS: return l->rx_naks;
    case HSL_LINK_STAT_PROTOCOL_ERRORS: return l->rx_impossible;
    case HSL_LINK_STAT_RETRAINS: return s->retrains;
    case HSL_LINK_STAT_DOWNS: return s->downs;
    case HSL_LINK_STAT_IDLE_FLITS: return l->tx_idle;
    }
    for (uint32_t vc = 0; vc < HSL_VC_COUNT; vc++) {
        if (o == HSL_LINK_STAT_CREDIT_STALLS(vc)) {
            return l->credit_stalls[vc];
        }
        if (o == HSL_LINK_STAT_TX_PACKETS(vc)) {
            return l->tx_packets[vc];
        }
        if (o == HSL_LINK_STAT_RX_PACKETS(vc)) {
            return l->rx_packets[vc];
        }
    }
    return 0;
}

uint64_t hsl_link_stat_word(struct hsl_chip_engine *c, uint32_t index, uint64_t o)
{
    uint32_t node = c->cfg.node;
    struct hsl_model_link at;
    struct link_counters s;
    struct hsl_fab *fab;

    if (hsl_fabric_engine_link(c->f, node, index, &at)) {
        return 0;
    }
    fab = hsl_modelled_enter(c->f);
    hsl_link_stats(hsl_fab_link(fab, node, at.peer), &s.link);
    s.retrains = hsl_fab_phy(fab, node, at.peer)->entries[HSL_LTSSM_RECOVERY];
    s.downs = hsl_fab_downs(fab, node, at.peer);
    hsl_modelled_leave(c->f);
    if (o == HSL_LINK_STAT_TX_FLITS && hsl_deviates(c, HSL_DEV_COUNTER_CLEARS)) {
        uint64_t before = atomic_exchange(&c->cleared, link_counter(&s, o));

        return link_counter(&s, o) - before;
    }
    return link_counter(&s, o);
}

static uint64_t cache_counter(const struct hsl_agent_stats *s, uint64_t o)
{
    switch (o) {
    case HSL_CACHE_STAT_HITS: return s->hits;
    case HSL_CACHE_STAT_MISSES: return s->misses;
    case HSL_CACHE_STAT_UPGRADES: return s->upgrades;
    case HSL_CACHE_STAT_WRITE_BACKS: return s->write_backs;
    case HSL_CACHE_STAT_EVICTIONS: return s->evictions;
    case HSL_CACHE_STAT_SNOOPS: return s->snoops;
    case HSL_CACHE_STAT_SNOOP_HITS: return s->snoop_hits;
    case HSL_CACHE_STAT_FORWARDS: return s->forwards;
    case HSL_CACHE_STAT_RETRIES: return s->retries;
    default: return 0;
    }
}

static uint64_t home_counter(const struct hsl_home_stats *s, uint64_t o)
{
    switch (o) {
    case HSL_HOME_STAT_REQUESTS: return s->requests;
    case HSL_HOME_STAT_SNOOPS: return s->snoops;
    case HSL_HOME_STAT_RECALLS: return s->recalls;
    case HSL_HOME_STAT_RETRIES: return s->retries;
    case HSL_HOME_STAT_GRANTS: return s->grants;
    case HSL_HOME_STAT_MEM_READS: return s->mem_reads;
    case HSL_HOME_STAT_MEM_WRITES: return s->mem_writes;
    default: return 0;
    }
}

static uint64_t net_counter(const struct hsl_fab_net_stats *s, uint64_t o)
{
    switch (o) {
    case HSL_NET_STAT_DELIVERED: return s->delivered;
    case HSL_NET_STAT_HOPS: return s->hops;
    case HSL_NET_STAT_FORWARDED: return s->forwarded;
    case HSL_NET_STAT_LOST: return s->lost;
    case HSL_NET_STAT_POISONED: return s->poisoned;
    default: return 0;
    }
}

uint64_t hsl_node_stat_word(struct hsl_chip_engine *c, uint64_t o)
{
    struct hsl_fab *fab = hsl_modelled_enter(c->f);
    struct hsl_agent_stats agent;
    struct hsl_home_stats home;
    uint64_t v;

    if (o < HSL_NODE_STAT_HOME) {
        bool host = o >= HSL_NODE_STAT_HOST_PORT;
        uint16_t id = (uint16_t)(c->cfg.node | (host ? HSL_AGENT_HOST_PORT : 0));

        hsl_agent_stats(hsl_fab_agent(fab, id), &agent);
        v = cache_counter(&agent, o - (host ? HSL_NODE_STAT_HOST_PORT : HSL_NODE_STAT_CHIP));
    } else if (o < HSL_NODE_STAT_NET) {
        hsl_home_stats(hsl_fab_home(fab, c->cfg.node), &home);
        v = home_counter(&home, o - HSL_NODE_STAT_HOME);
    } else {
        v = net_counter(hsl_fab_net_stats(fab, c->cfg.node), o - HSL_NODE_STAT_NET);
    }
    hsl_modelled_leave(c->f);
    return v;
}
