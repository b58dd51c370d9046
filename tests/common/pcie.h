/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The PCI functions of the chips, for guest tests that run as root: their files in sysfs, the monitor of QEMU behind them (QMP=guest;
 * a test without it is skipped), their power, and a sleep of the whole system.
 */
#ifndef HSL_TESTS_PCIE_H
#define HSL_TESTS_PCIE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PCIE_CHIPS	4u

extern char pcie_bdf[PCIE_CHIPS + 1][32];	/* by node; "": there is none */
void pcie_find(int ctx);

const char *pcie_file(unsigned int node, const char *name);	/* its path; good until the next */
const char *pcie_line(const char *path);	/* one line of a file, good until the next; "" if it cannot be read */
int pcie_driver(const char *file, unsigned int node);	/* bind, unbind */
void pcie_config16(const char *path, off_t off, uint16_t set, uint16_t clear);
bool pcie_said(const char *what);		/* in the kernel's log */

void pcie_absent(unsigned int node, bool absent);	/* reads as all ones, from its return on; or no more */
void pcie_error(unsigned int node, const char *error);	/* COMP_TIME is non-fatal, MALF_TLP fatal */
void pcie_errors_pass(unsigned int node);	/* its root port tells of them */
void pcie_fabric(const char *what);		/* in words of 'hslctl inject' */

void pcie_power(unsigned int node, const char *name, const char *text);
void pcie_allow_sleep(unsigned int node);	/* at once when nobody needs it */
const char *pcie_state(unsigned int node);	/* in words of sysfs */
bool pcie_falls_asleep(unsigned int node);

/* Before a sleep of the system, and after it: what is printed meanwhile is printed then. */
bool pcie_system_can_sleep(const char *state);
void pcie_console_away(void);
void pcie_console_back(void);

#endif
