/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One line of progress, only when stderr is a terminal: never in a pipe, a log or a file. */
#ifndef TOOL_PROGRESS_H
#define TOOL_PROGRESS_H

void tool_progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));	/* replaces the last one */
void tool_progress_clear(void);

#endif
