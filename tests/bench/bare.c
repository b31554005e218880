/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bare PIDFILE FILE: runs QEMU with -daemonize and the arguments of FILE (one a line, first the
 * program), after opening what "fd=N" in them names: a listening socket that nobody uses.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void open_descriptor(int number)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	/* autobind: an abstract name of the kernel's choice */
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)) < 0 ||
	    listen(fd, 1) < 0) {
		perror("bare: socket");
		exit(1);
	}
	if (fd == number)
		return;
	if (dup2(fd, number) < 0) {
		perror("bare: dup2");
		exit(1);
	}
	close(fd);
}

static void open_descriptors(const char *argument)
{
	const char *p = argument;

	while ((p = strstr(p, "fd="))) {
		if (p == argument || p[-1] == ',')
			open_descriptor(atoi(p + 3));
		p += 3;
	}
}

int main(int argc, char **argv)
{
	static char line[65536];
	char *arguments[1024], *deny;
	size_t n = 0;
	FILE *f;

	if (argc != 3 || !(f = fopen(argv[2], "re"))) {
		fprintf(stderr, "Usage: bare PIDFILE FILE\n");
		return 2;
	}
	while (n < 1000 && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		/* -daemonize has no "cont" */
		if (strcmp(line, "-S") == 0)
			continue;
		/* -daemonize forks and makes a session; QEMU itself does neither */
		deny = strstr(line, ",elevateprivileges=deny");
		if (deny)
			*deny = '\0';
		open_descriptors(line);
		arguments[n++] = strdup(line);
	}
	fclose(f);
	arguments[n++] = strdup("-daemonize");
	arguments[n++] = strdup("-pidfile");
	arguments[n++] = argv[1];
	arguments[n] = NULL;
	execv(arguments[0], arguments);
	fprintf(stderr, "bare: %s: %s\n", arguments[0], strerror(errno));
	return 1;
}
