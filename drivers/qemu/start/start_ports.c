/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TCP ports for graphics: tried here, claimed so that two starts do not choose the same. */
#include "start_step.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/state.h>

#include "model/domain.h"

/* As libvirt chooses them; QEMU takes any display number. */
#define VNC_FIRST 5900u
#define VNC_LAST  65535u

static bool wants_port(const struct vm_graphics *g)
{
	const struct vm_vnc *v = g->vnc;

	if (g->kind != VM_GRAPHICS_VNC)
		return false;
	if (v == NULL)
		return true;
	if (v->socket != NULL)
		return false;
	for (uint32_t i = 0; i < v->listens.n; i++) {
		const struct vm_listen *l = v->listens.v[i];

		if (l->kind == VM_LISTEN_SOCKET || l->kind == VM_LISTEN_NONE)
			return false;
	}
	return v->autoport == VM_SWITCH_ON || !mt_is_set(&v->obj, VM_VNC_BIT_PORT) || v->port < 0;
}

static const char *listen_address(const struct vm_vnc *v)
{
	for (uint32_t i = 0; i < v->listens.n; i++) {
		const struct vm_listen *l = v->listens.v[i];

		if (l->address != NULL)
			return l->address;
	}
	return v->listen != NULL ? v->listen : "127.0.0.1";
}

/* An address that is a name is looked up by QEMU; the port is tried on all then. */
static bool port_free(const char *address, unsigned port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	bool six = inet_pton(AF_INET6, address, &in6.sin6_addr) == 1;
	VM_AUTO_FD int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0)
		return false;
	if (!six && inet_pton(AF_INET, address, &in.sin_addr) != 1)
		in.sin_addr.s_addr = htonl(INADDR_ANY);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return (six ? bind(fd, (struct sockaddr *)&in6, sizeof(in6))
		    : bind(fd, (struct sockaddr *)&in, sizeof(in))) == 0 &&
	       listen(fd, 1) == 0;
}

int vm_start_ports(struct vm_start *s, unsigned from, struct vm_err *err)
{
	for (uint32_t i = 0; i < s->d->graphics.n; i++) {
		struct vm_graphics *g = s->d->graphics.v[i];
		unsigned port = from > VNC_FIRST ? from : VNC_FIRST;

		if (!wants_port(g))
			continue;
		if (g->vnc == NULL)
			return vm_err_set(err, VM_SYSTEM, "graphics without a place to listen at");
		while (port <= VNC_LAST && !port_free(listen_address(g->vnc), port))
			port++;
		if (port > VNC_LAST)
			return vm_err_set(err, VM_IN_USE, "no TCP port from %u on is free for vnc",
					  VNC_FIRST);
		g->vnc->port = (int64_t)port;
		mt_assigned(&g->vnc->obj, VM_VNC_BIT_PORT);
	}
	return 0;
}

/* 1 = another guest was faster. */
static int claim_port(struct vm_start *s, const struct vm_graphics *g, struct vm_err *err)
{
	char key[32], what[48];

	snprintf(key, sizeof(key), "port:%u", (unsigned)g->vnc->port);
	snprintf(what, sizeof(what), "TCP port %u", (unsigned)g->vnc->port);
	if (vm_claim_take(s->g, key, VM_CLAIM_EXCLUSIVE, what, err) == 0)
		return 0;
	if (err->kind != VM_IN_USE)
		return -1;
	*err = VM_ERR_INIT;
	return 1;
}

int vm_start_claim_ports(struct vm_start *s, struct vm_err *err)
{
	for (uint32_t i = 0; i < s->d->graphics.n; i++) {
		struct vm_graphics *g = s->d->graphics.v[i];
		int r;

		/* A port that the admin chose is tried by QEMU itself. */
		if (g->vnc == NULL || (g->vnc->obj.ours >> VM_VNC_BIT_PORT & 1) == 0)
			continue;
		while ((r = claim_port(s, g, err)) == 1) {
			g->vnc->autoport = VM_SWITCH_ON; /* wanted by wants_port() again */
			if (vm_start_ports(s, (unsigned)g->vnc->port + 1, err) < 0 ||
			    vm_start_plan(s, err) < 0)
				return -1;
		}
		if (r < 0)
			return -1;
	}
	return 0;
}
