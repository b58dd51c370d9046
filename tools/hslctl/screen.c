// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * hslctl: a picture that is drawn again and again on a terminal, in its alternate screen, so that what stood there before comes
 * back. It is cut to the window, whose size is asked for each time. In a pipe each picture is written behind the one before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "exit.h"
#include "hslctl.h"

#define ALTERNATE_ON  "\033[?1049h\033[?7l" /* no wrapping: long lines are cut */
#define ALTERNATE_OFF "\033[?7h\033[?1049l"
#define HOME	      "\033[H"
#define CLEAR_LINE    "\033[K"
#define CLEAR_REST    "\033[J"

void ctl_screen_begin(struct ctl_screen *s)
{
	const char *term = getenv("TERM");

	*s = (struct ctl_screen){ .live = isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") };
	if (s->live)
		fputs(ALTERNATE_ON, stdout);
}

FILE *ctl_screen_frame(struct ctl_screen *s)
{
	if (!s->live)
		return stdout;
	free(s->text);
	s->frame = open_memstream(&s->text, &s->len);
	if (!s->frame) {
		tool_error("out of memory");
		exit(TOOL_ENV);
	}
	return s->frame;
}

static unsigned int window_rows(void)
{
	struct winsize w;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) || w.ws_row < 2 ? 24 : w.ws_row;
}

static unsigned int lines_in(const char *s)
{
	unsigned int n = 0;

	for (; *s; s++)
		n += *s == '\n';
	return n;
}

void ctl_screen_show(struct ctl_screen *s)
{
	unsigned int rows, lines, i;
	const char *p, *end;

	if (!s->live) {
		fflush(stdout);
		return;
	}
	fclose(s->frame);
	s->frame = NULL;
	rows = window_rows() - 1;
	lines = lines_in(s->text);
	fputs(HOME, stdout);
	for (p = s->text, i = 0; *p && (end = strchr(p, '\n')); p = end + 1, i++) {
		if (lines > rows && i == rows - 1) {
			printf("(%u more lines: a larger window, or --node)" CLEAR_LINE "\n", lines - i);
			break;
		}
		printf("%.*s" CLEAR_LINE "\n", (int)(end - p), p);
	}
	fputs(CLEAR_REST, stdout);
	fflush(stdout);
}

void ctl_screen_end(struct ctl_screen *s)
{
	if (!s->live)
		return;
	fputs(ALTERNATE_OFF, stdout);
	if (s->text && !s->frame)
		fputs(s->text, stdout); /* what was seen last stays */
	fflush(stdout);
	if (s->frame)
		fclose(s->frame);
	free(s->text);
}
