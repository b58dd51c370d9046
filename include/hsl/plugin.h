/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A backend of libhsl in a shared object: "plugin:FILE.so[,ARGUMENTS]" in place of /dev/hsl<N> or sim:. For chips that the
 * driver does not serve: RTL in a simulator, a board behind another driver, a recording. Every program of libhsl runs on it,
 * hsltest too.
 *
 * The object exports `const struct hsl_plugin_ops hsl_plugin` and includes the driver's interface for the argument structs (the
 * uAPI header, installed as <hsl/uapi.h>): each op does what the ioctl of its struct does, and returns 0 or a negative errno as it is
 * documented there. Structs grow at their end: what is beyond the size that one was handed with is neither read nor written. libhsl keeps rings, completions, waiting and arming to itself: a plugin is handed descriptors and hands
 * completions back.
 *
 * Threads: any op may be called from any thread; those on one queue come from one thread at a time.
 */
#ifndef HSL_PLUGIN_H
#define HSL_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#include "hsl.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when an op changes. libhsl refuses a plugin of another version; ops added at the end keep it. */
#define HSL_PLUGIN_VERSION	1
#define HSL_PLUGIN_SYMBOL	"hsl_plugin"

/* Of include/uapi/linux/hsl.h. */
struct hsl_info;
struct hsl_chip_info;
struct hsl_link_info;
struct hsl_segment_alloc;
struct hsl_segment_register;
struct hsl_segment_info;

struct hsl_plugin_queue;		/* libhsl's, given to queue_create */

/* What a plugin may call, from any thread, also inside its ops. */
struct hsl_plugin_host {
	uint32_t version;		/* HSL_PLUGIN_VERSION */
	uint32_t size;
	/*
	 * A command has ended: cookie, result, fault_ga, and the code in status; libhsl adds the rest. Data it wrote is visible before the
	 * call. Exactly one for each descriptor, but for one that has HSL_DF_NO_CQE and ends well.
	 */
	void (*complete)(struct hsl_plugin_queue *q, const struct hsl_cqe *c);
	/* The queue has ended with this HSL_ST_*; no complete() after that. */
	void (*ended)(struct hsl_plugin_queue *q, uint32_t status);
};

struct hsl_plugin_ops {
	uint32_t version;		/* HSL_PLUGIN_VERSION */
	uint32_t size;			/* sizeof(struct hsl_plugin_ops) */
	const char *name;		/* for people who look at the plugin; libhsl calls the backend "plugin" */

	/* args: what follows the comma, or "". *ctx is given to the other ops. Each open is a context of its own. */
	int (*open)(const char *args, const struct hsl_plugin_host *host, void **ctx);
	void (*close)(void *ctx);	/* no segment or queue exists any more */

	int (*info)(void *ctx, struct hsl_info *i);
	int (*chip_info)(void *ctx, struct hsl_chip_info *c);
	int (*link_info)(void *ctx, struct hsl_link_info *l);

	int (*segment_alloc)(void *ctx, struct hsl_segment_alloc *a);
	int (*segment_free)(void *ctx, uint32_t handle);	/* commands that used it have been completed on return */
	int (*segment_info)(void *ctx, struct hsl_segment_info *i);
	/* Maps chip memory with protection prot (PROT_*), at an address if not NULL; libhsl undoes it by munmap(). */
	int (*segment_map)(void *ctx, uint32_t handle, size_t len, int prot, void *at, void **ptr);
	int (*segment_register)(void *ctx, struct hsl_segment_register *r);	/* NULL: no host memory, -EOPNOTSUPP */

	int (*queue_create)(void *ctx, uint32_t node, uint32_t depth, struct hsl_plugin_queue *q, void **queue);
	void (*queue_destroy)(void *queue);	/* no complete() for it after return */
	/* Takes all n descriptors; they are gone after return. At most depth are outstanding. */
	void (*queue_submit)(void *queue, const struct hsl_desc *d, uint32_t n);
	/* Everything outstanding ends, with HSL_ST_ABORTED if it has not yet, before it returns. */
	int (*queue_abort)(void *queue);
};

#ifdef __cplusplus
}
#endif

#endif
