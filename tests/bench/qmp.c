/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qmp SOCKET add ID BUS | del ID: what plugging an edu in, and out again, takes QEMU and its guest by itself: one connection,
 * one command, and after del the event that the guest has let go.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static FILE *in;
static int fd;

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (write(fd, text, (size_t)n) != n)
		exit(1);
}

/* Until a line has this in it; a refusal ends it. */
static void hear(const char *what)
{
	static char line[65536];

	while (fgets(line, sizeof(line), in) != NULL) {
		if (strstr(line, what) != NULL)
			return;
		if (strstr(line, "\"error\"") != NULL)
			break;
	}
	fprintf(stderr, "qmp: %s", line);
	exit(1);
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (argc < 4 || strlen(argv[1]) >= sizeof(address.sun_path))
		return 2;
	strcpy(address.sun_path, argv[1]);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	in = fdopen(fd, "r");
	if (fd < 0 || in == NULL || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		perror("qmp");
		return 1;
	}
	hear("\"QMP\"");
	say("{\"execute\":\"qmp_capabilities\"}\n");
	hear("\"return\"");
	if (strcmp(argv[2], "add") == 0 && argc == 5) {
		say("{\"execute\":\"device_add\",\"arguments\":{\"driver\":\"edu\",\"id\":\"%s\",\"bus\":\"%s\"}}\n", argv[3],
		    argv[4]);
		hear("\"return\"");
	} else {
		char device[128];

		say("{\"execute\":\"device_del\",\"arguments\":{\"id\":\"%s\"}}\n", argv[3]);
		snprintf(device, sizeof(device), "\"device\": \"%s\"", argv[3]);
		hear(device);
	}
	return 0;
}
