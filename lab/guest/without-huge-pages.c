// SPDX-License-Identifier: GPL-2.0
/*
 * Runs a command after prctl(PR_SET_THP_DISABLE), so the kernel maps its
 * memory without huge pages.  Takes the command and its arguments.
 */
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
	if (argc < 2) {
		fprintf(stderr, "usage: without-huge-pages COMMAND [ARGUMENT...]\n");
		return 2;
	}
	if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)) {
		perror("without-huge-pages: prctl");
		return 1;
	}
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 127;
}
