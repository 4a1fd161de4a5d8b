/* What is known of executable graphs: their kernels predict them, and what was known is forgotten when they change. */
#include "graph.h"

#include "samples.h"
#include "testhelper.h"

#define EXEC ((CUgraphExec)0x100)
#define GRAPH ((CUgraph)0x200)
#define CHILD ((CUgraph)0x300)

/* A driver with one graph, of nodes that the test names, and a child graph with the last of them. */
static struct {
	CUgraphNodeType types[4];
	size_t count;
} graph_nodes, child_nodes;

static CUgraphNode node_of(CUgraph graph, size_t index)
{
	return (CUgraphNode)((uintptr_t)graph + index + 1);
}

static CUresult get_nodes(CUgraph graph, CUgraphNode *nodes, size_t *count)
{
	*count = graph == CHILD ? child_nodes.count : graph_nodes.count;
	for (size_t i = 0; nodes && i < *count; i++)
		nodes[i] = node_of(graph, i);
	return CUDA_SUCCESS;
}

static CUresult get_type(CUgraphNode node, CUgraphNodeType *type)
{
	uintptr_t number = (uintptr_t)node;
	*type = number > (uintptr_t)CHILD ? child_nodes.types[number - (uintptr_t)CHILD - 1]
					  : graph_nodes.types[number - (uintptr_t)GRAPH - 1];
	return CUDA_SUCCESS;
}

/* Each node's kernel is a function of its own. */
static CUresult get_kernel(CUgraphNode node, CUDA_KERNEL_NODE_PARAMS_v2 *parameters)
{
	*parameters = (CUDA_KERNEL_NODE_PARAMS_v2){.func = (CUfunction)node, .gridDimX = 1, .gridDimY = 1,
						   .gridDimZ = 1, .blockDimX = 32, .blockDimY = 1, .blockDimZ = 1};
	return CUDA_SUCCESS;
}

static CUresult get_child(CUgraphNode node, CUgraph *child)
{
	(void)node;
	*child = CHILD;
	return CUDA_SUCCESS;
}

static CUresult end_exec(CUgraphExec exec)
{
	(void)exec;
	return CUDA_SUCCESS;
}

const struct cuda_real *cuda_real(void)
{
	static const struct cuda_real real = {.cuGraphGetNodes = get_nodes,
					      .cuGraphNodeGetType = get_type,
					      .cuGraphKernelNodeGetParams_v2 = get_kernel,
					      .cuGraphChildGraphNodeGetGraph = get_child,
					      .cuGraphExecDestroy = end_exec};
	return &real;
}

/* The rest of the shim, as far as graphs without memory need it. */
static struct charge remembered;

bool charges_add(enum charge_kind kind, const struct charge *charge)
{
	CHECK(kind == CHARGE_GRAPH);
	remembered = *charge;
	return true;
}

bool charges_find(enum charge_kind kind, uint64_t key, struct charge *charge)
{
	*charge = remembered;
	return kind == CHARGE_GRAPH && remembered.key == key;
}

bool charges_take(enum charge_kind kind, uint64_t key, struct charge *charge)
{
	bool found = charges_find(kind, key, charge);
	if (found)
		remembered.key = 0;
	return found;
}

void samples_lock(void)
{
}

void samples_unlock(void)
{
}

bool graph_scan_memory(CUgraph graph, struct graph *found)
{
	(void)graph;
	return found->share_count == 0;
}

bool graph_room_take(struct graph_room *room, struct graph *graph, CUstream stream, bool per_thread)
{
	(void)room;
	(void)graph;
	(void)stream;
	return !per_thread;
}

bool graph_room_settle(struct graph_room *room, bool launched)
{
	(void)room;
	return launched;
}

static CUresult make_exec(CUgraphExec *exec, CUgraph graph, unsigned long long flags)
{
	(void)graph;
	(void)flags;
	*exec = EXEC;
	return CUDA_SUCCESS;
}

static CUresult update(CUgraphExec exec, CUgraph graph, CUgraphExecUpdateResultInfo *info)
{
	(void)exec;
	(void)graph;
	(void)info;
	return CUDA_SUCCESS;
}

static CUresult set_kernel(CUgraphExec exec, CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS_v2 *parameters)
{
	(void)exec;
	(void)node;
	return parameters->func ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

static void know(CUgraphNode function, int64_t ns)
{
	uint64_t key = estimate_key((uint64_t)(uintptr_t)function, 1, 1, 1, 32, 1);
	estimate_forget(key);
	estimate_expect(key, ns);
}

/* A kernel, a child graph with another, and a third node; the kernels take 100 and 30 ns. */
static void instantiate(CUgraphNodeType third)
{
	CUgraphExec exec;
	graph_nodes.types[0] = CU_GRAPH_NODE_TYPE_KERNEL;
	graph_nodes.types[1] = CU_GRAPH_NODE_TYPE_GRAPH;
	graph_nodes.types[2] = third;
	graph_nodes.count = 3;
	child_nodes.types[0] = CU_GRAPH_NODE_TYPE_KERNEL;
	child_nodes.count = 1;
	know(node_of(GRAPH, 0), 100);
	know(node_of(CHILD, 0), 30);
	CHECK(hook_graph_instantiate(make_exec, &exec, GRAPH, 0) == CUDA_SUCCESS);
}

static int64_t expected(void)
{
	graph_expect(EXEC);
	return estimate_of(graph_key(EXEC))->ns;
}

static void end(void)
{
	CHECK(hook_graph_exec_destroy(end_exec, EXEC) == CUDA_SUCCESS);
	CHECK(!graph_of(EXEC));
	CHECK(estimate_of(graph_key(EXEC))->ns == 0);
}

static void a_graph_takes_what_its_kernels_take(void)
{
	instantiate(CU_GRAPH_NODE_TYPE_EMPTY);
	CHECK(expected() == 130);
	end();
}

static void a_graph_with_an_unknown_part_is_unknown(void)
{
	instantiate(CU_GRAPH_NODE_TYPE_MEMCPY);
	CHECK(expected() == 0);
	end();
	instantiate(CU_GRAPH_NODE_TYPE_EMPTY);
	estimate_forget(estimate_key((uint64_t)(uintptr_t)node_of(CHILD, 0), 1, 1, 1, 32, 1));
	CHECK(expected() == 0);
	end();
}

static void a_changed_kernel_counts_as_it_is_now(void)
{
	CUDA_KERNEL_NODE_PARAMS_v2 other, wrong = {0};
	instantiate(CU_GRAPH_NODE_TYPE_EMPTY);
	CHECK(expected() == 130);
	get_kernel((CUgraphNode)0x999, &other);
	know((CUgraphNode)0x999, 5000);
	CHECK(hook_graph_set_kernel(set_kernel, EXEC, node_of(GRAPH, 0), &wrong) == CUDA_ERROR_INVALID_VALUE);
	CHECK(expected() == 130);
	CHECK(hook_graph_set_kernel(set_kernel, EXEC, node_of(GRAPH, 0), &other) == CUDA_SUCCESS);
	CHECK(expected() == 5030);
	end();
}

static void an_updated_graph_has_to_be_measured(void)
{
	instantiate(CU_GRAPH_NODE_TYPE_EMPTY);
	CHECK(expected() == 130);
	CHECK(hook_graph_update(update, EXEC, GRAPH, NULL) == CUDA_SUCCESS);
	CHECK(expected() == 0);
	end();
}

int main(void)
{
	a_graph_takes_what_its_kernels_take();
	a_graph_with_an_unknown_part_is_unknown();
	a_changed_kernel_counts_as_it_is_now();
	an_updated_graph_has_to_be_measured();
	return TEST_RESULT();
}
