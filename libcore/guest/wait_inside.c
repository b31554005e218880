/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/wait_inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>

#include <vm/cleanup.h>

#include "driver.h"

/* Asks the agent: 0 = *ret_reply, 1 = it does not answer (yet), -1 = it never will. */
static int ask(const struct vm_state *s, const struct vm_passthrough *pass, const char *name,
	       const char *command, struct vm_deadline deadline, char **ret_reply,
	       struct vm_err *why, struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	struct vm_monitor_call call = {.command = command, .fd = -1};
	struct vm_err failed = VM_ERR_INIT;

	if (pass->agent_call == NULL)
		return vm_driver_lacks(pass->name, "agent", err);
	if (vm_guest_open(s, name, VM_GUEST_ACTIVE, deadline, &g, err) < 0)
		return -1;
	if (pass->agent_call(&g, &call, deadline, ret_reply, &failed) == 0)
		return 0;
	if (failed.sys == EINTR || failed.kind == VM_UNSUPPORTED || failed.kind == VM_DENIED) {
		*err = failed;
		return -1;
	}
	*why = failed;
	return 1;
}

int vm_wait_agent(const struct vm_state *s, const struct vm_passthrough *pass, const char *name,
		  struct vm_deadline deadline, struct vm_err *why, struct vm_err *err)
{
	VM_AUTO_FREE char *reply = NULL;

	return ask(s, pass, name, "guest-ping", deadline, &reply, why, err);
}

/* Usable from the host: not the loopback, not of the link only. */
static bool is_usable(const char *text)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1)
		return (ntohl(v4.s_addr) >> 24) != 127 && (ntohl(v4.s_addr) >> 16) != 0xa9fe &&
		       v4.s_addr != 0;
	return inet_pton(AF_INET6, text, &v6) == 1 && !IN6_IS_ADDR_LOOPBACK(&v6) &&
	       !IN6_IS_ADDR_LINKLOCAL(&v6) && !IN6_IS_ADDR_UNSPECIFIED(&v6);
}

/* Source: GuestNetworkInterface of qga/qapi-schema.json, QEMU 7.2. */
bool vm_wait_pick_address(const char *reply, char *buf, size_t size)
{
	json_t *root = json_loads(reply, JSON_REJECT_DUPLICATES, NULL), *nic, *address;
	bool found = false;
	size_t i, k;

	json_array_foreach(root, i, nic)
	{
		json_array_foreach(json_object_get(nic, "ip-addresses"), k, address)
		{
			const char *text =
			    json_string_value(json_object_get(address, "ip-address"));

			if (found || text == NULL || strlen(text) >= size || !is_usable(text))
				continue;
			strcpy(buf, text);
			found = true;
		}
	}
	json_decref(root);
	return found;
}

int vm_wait_address(const struct vm_state *s, const struct vm_passthrough *pass, const char *name,
		    struct vm_deadline deadline, char *buf, size_t size, struct vm_err *why,
		    struct vm_err *err)
{
	VM_AUTO_FREE char *reply = NULL;
	int rc = ask(s, pass, name, "guest-network-get-interfaces", deadline, &reply, why, err);

	if (rc != 0)
		return rc;
	if (vm_wait_pick_address(reply, buf, size))
		return 0;
	vm_err_set(why, VM_TIMED_OUT, "it has no address yet");
	return 1;
}

static int connect_to(const char *address, unsigned port, int *ret_fd, struct vm_err *err)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	bool is4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
	int rc;

	if (!is4 && inet_pton(AF_INET6, address, &v6.sin6_addr) != 1)
		return vm_err_set(err, VM_BAD_INPUT, "'%s' is no address", address);
	*ret_fd = socket(is4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*ret_fd < 0)
		return vm_err_sys(err, "socket");
	rc = is4 ? connect(*ret_fd, (struct sockaddr *)&v4, sizeof(v4))
		 : connect(*ret_fd, (struct sockaddr *)&v6, sizeof(v6));
	return rc == 0 || errno == EINPROGRESS ? 0 : 1;
}

int vm_wait_ssh(const char *address, unsigned port, struct vm_deadline deadline, struct vm_err *why,
		struct vm_err *err)
{
	VM_AUTO_FD int fd = -1;
	char greeting[4];
	size_t n = 0;
	int rc = connect_to(address, port, &fd, err);

	if (rc < 0)
		return -1;
	/* What is connected is not yet served: a port forward accepts for a guest that is not up.
	 */
	while (rc == 0 && n < sizeof(greeting)) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t got = -1;

		if (poll(&p, 1, vm_deadline_poll(deadline)) > 0)
			got = recv(fd, greeting + n, sizeof(greeting) - n, MSG_DONTWAIT);
		if (vm_wait_interrupted()) {
			errno = EINTR;
			return vm_err_sys(err, "wait for ssh");
		}
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	if (n == sizeof(greeting) && memcmp(greeting, "SSH-", n) == 0)
		return 0;
	vm_err_set(why, VM_TIMED_OUT, "no ssh server answers at %s port %u", address, port);
	return 1;
}
