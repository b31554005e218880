/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/look.h>

#include <stdlib.h>

static void free_threads(struct vm_look_thread *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(v[i].name);
	free(v);
}

void vm_look_free(struct vm_look *l)
{
	free_threads(l->vcpus, l->n_vcpus);
	free_threads(l->iothreads, l->n_iothreads);
	for (size_t i = 0; i < l->n_blocks; i++) {
		free(l->blocks[i].alias);
		free(l->blocks[i].error);
	}
	free(l->blocks);
	for (size_t i = 0; i < l->n_jobs; i++) {
		free(l->jobs[i].type);
		free(l->jobs[i].state);
		free(l->jobs[i].target);
	}
	free(l->jobs);
	free(l->vnc_host);
	for (size_t i = 0; i < l->n_hostdevs; i++) {
		free(l->hostdevs[i].alias);
		free(l->hostdevs[i].type);
		free(l->hostdevs[i].device);
	}
	free(l->hostdevs);
	for (size_t i = 0; i < l->n_aliases; i++)
		free(l->aliases[i]);
	free(l->aliases);
	*l = VM_LOOK_INIT;
}
