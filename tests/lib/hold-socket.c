/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hold-socket SOCKET...: connects to each, prints "held", and keeps them until it is killed. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct sockaddr_un sa = { .sun_family = AF_UNIX };
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", argv[i]);
		if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
			perror(argv[i]);
			return 1;
		}
	}
	puts("held");
	fflush(stdout);
	pause();
	return 0;
}
