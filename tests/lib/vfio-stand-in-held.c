/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vfio-stand-in-held.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define VARIABLE "VFIO_STAND_IN"
#define TEXT_MAX (256u * 1024)

static struct held {
	char id[64], host[64];
	int node;
} held[64];

/* Hosts to be answered with, in the order of asking; "" = that one is not known. */
static struct {
	char host[16][64];
	size_t first, n;
} asked[64];

static const char *value_of(const char *text, size_t len, const char *key, size_t *ret_len)
{
	char quoted[64];
	int n = snprintf(quoted, sizeof(quoted), "\"%s\":", key);
	const char *at = memmem(text, len, quoted, (size_t)n), *end = text + len, *quote;

	for (; at != NULL; at = memmem(at, (size_t)(end - at), quoted, (size_t)n)) {
		at += n;
		while (at < end && *at == ' ')
			at++;
		quote = at < end && *at == '"' ? memchr(at + 1, '"', (size_t)(end - at - 1)) : NULL;
		if (quote == NULL)
			continue;
		*ret_len = (size_t)(quote - at - 1);
		return at + 1;
	}
	return NULL;
}

static struct held *find(const char *id, size_t len)
{
	for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++)
		if (len > 0 && strlen(held[i].id) == len && strncmp(held[i].id, id, len) == 0)
			return &held[i];
	return NULL;
}

void held_take(const char *text, size_t len, const char *host, const char *node)
{
	size_t id_len = 0;
	const char *id = value_of(text, len, "id", &id_len);

	for (size_t i = 0; id != NULL && i < sizeof(held) / sizeof(held[0]); i++) {
		if (held[i].id[0] != 0)
			continue;
		snprintf(held[i].id, sizeof(held[i].id), "%.*s", (int)id_len, id);
		snprintf(held[i].host, sizeof(held[i].host), "%.*s", (int)strcspn(host, "\""),
			 host);
		held[i].node = open(node, O_RDWR | O_CLOEXEC);
		return;
	}
}

void held_asked(int fd, const char *text, size_t len)
{
	static const char list[] = "/machine/peripheral/";
	const char *end = text + len, *line_end;

	for (const char *line = text; line < end; line = line_end + 1) {
		size_t property_len = 0, path_len = 0;
		const char *property, *path;
		const struct held *h = NULL;

		line_end = memchr(line, '\n', (size_t)(end - line));
		if (line_end == NULL)
			line_end = end;
		property = value_of(line, (size_t)(line_end - line), "property", &property_len);
		path = value_of(line, (size_t)(line_end - line), "path", &path_len);
		if (property == NULL || path == NULL || property_len != 4 ||
		    strncmp(property, "host", 4) != 0)
			continue;
		if (path_len > strlen(list) && strncmp(path, list, strlen(list)) == 0)
			h = find(path + strlen(list), path_len - strlen(list));
		snprintf(asked[fd].host[(asked[fd].first + asked[fd].n++) % 16], 64, "%s",
			 h != NULL ? h->host : "");
	}
}

/* Replaces the next `from` at or after *at; false: there is none. */
static int replace(char *text, size_t *len, size_t *at, const char *from, size_t from_len,
		   const char *to)
{
	char *found = *at < *len ? memmem(text + *at, *len - *at, from, from_len) : NULL;
	size_t to_len = strlen(to), where;

	if (found == NULL || *len + to_len > TEXT_MAX)
		return 0;
	where = (size_t)(found - text);
	memmove(found + to_len, found + from_len, *len - where - from_len);
	memcpy(found, to, to_len);
	*len += to_len - from_len;
	*at = where + to_len;
	return 1;
}

static void answer(int fd, char *text, size_t *len)
{
	static const char error[] =
	    "\"error\": {\"class\": \"GenericError\", \"desc\": \"Property 'edu.host' not found\"}";
	size_t at = 0;

	while (memmem(text + at, *len - at, error, sizeof(error) - 1) != NULL && asked[fd].n > 0) {
		char *host = asked[fd].host[asked[fd].first % 16], to[128];

		asked[fd].first++;
		asked[fd].n--;
		snprintf(to, sizeof(to), "\"return\": \"%s\"", host);
		if (!replace(text, len, &at, error, sizeof(error) - 1, to))
			break;
	}
}

static void forget(const char *text, size_t len)
{
	static const char event[] = "\"DEVICE_DELETED\"";
	const char *at = memmem(text, len, event, sizeof(event) - 1), *id;
	static char last[128]; /* every monitor is sent it; its time stamp comes first */
	size_t id_len = 0;
	struct held *h;

	if (at == NULL)
		return;
	while (at > text && at[-1] != '\n')
		at--;
	if (strncmp(last, at, sizeof(last) - 1) == 0)
		return;
	snprintf(last, sizeof(last), "%.*s", (int)(text + len - at), at);
	id = value_of(at, (size_t)(text + len - at), "device", &id_len);
	h = id != NULL ? find(id, id_len) : NULL;
	if (h == NULL)
		return;
	h->id[0] = 0;
	close(h->node);
}

/* Where nobody was there to be sent that: it is not in the list of named devices any more. */
static void compare(const char *text, size_t len)
{
	if (memmem(text, len, "\"child<", 7) == NULL || memmem(text, len, "\"device[", 8) != NULL)
		return;
	for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++) {
		char name[80];
		int n = snprintf(name, sizeof(name), "\"%s\"", held[i].id);

		if (held[i].id[0] == 0 || memmem(text, len, name, (size_t)n) != NULL)
			continue;
		held[i].id[0] = 0;
		close(held[i].node);
	}
}

static void send_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return;
		if (n < 0) {
			poll(&p, 1, 1000);
			continue;
		}
		text += n;
		len -= (size_t)n;
	}
}

/* What QEMU writes to its monitors, whole lines at a time. */
ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	static ssize_t (*real)(int, const struct msghdr *, int);
	static char text[TEXT_MAX];
	size_t len = 0, was, at = 0;
	int changed = 0, saved = errno;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "sendmsg");
	for (size_t i = 0; i < msg->msg_iovlen; i++)
		len += msg->msg_iov[i].iov_len;
	if (getenv(VARIABLE) == NULL || fd < 0 || fd >= 64 || msg->msg_controllen > 0 ||
	    len > TEXT_MAX / 2)
		return real(fd, msg, flags);
	was = len;
	len = 0;
	for (size_t i = 0; i < msg->msg_iovlen; i++) {
		memcpy(text + len, msg->msg_iov[i].iov_base, msg->msg_iov[i].iov_len);
		len += msg->msg_iov[i].iov_len;
	}
	while (replace(text, &len, &at, "\"child<edu>\"", 12, "\"child<vfio-pci>\""))
		changed = 1;
	answer(fd, text, &len);
	forget(text, len);
	compare(text, len);
	errno = saved;
	if (!changed && len == was)
		return real(fd, msg, flags);
	send_all(fd, text, len);
	errno = saved;
	return (ssize_t)was;
}
