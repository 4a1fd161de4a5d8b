/* The board: its configuration, the state that processes share, and faults on demand. */
#include "board.h"

#include <pthread.h>
#include <time.h>

#include "boardcheck.h"

#define VARIABLE "HETERO_SIM_TEST_BOARD"

struct state {
	long long sum;
	int entries[100];
};

static struct board *open_board(void)
{
	struct board *board = board_open(VARIABLE);
	EXPECT(true, board != NULL);
	return board;
}

static void keys_are_read_where_they_stand(void)
{
	write_board("cards.conf", "# a comment\nversion = 5.10 \n\n[card]\nname = One  card\nsize=0x10\nsize = 7\n"
				  "smooth = on\n[card]\nsize = many\nsmooth = maybe\n");
	struct board *board = open_board();
	EXPECT(2, board_cards(board));
	EXPECT_TEXT("5.10", board_text(board, BOARD_MACHINE, "version", "none"));
	EXPECT_TEXT("One  card", board_text(board, 0, "name", "none"));
	EXPECT_TEXT("none", board_text(board, 1, "name", "none"));
	EXPECT_TEXT("none", board_text(board, 0, "version", "none"));
	EXPECT(7, board_number(board, 0, "size", 3));
	EXPECT(3, board_number(board, 1, "size", 3));
	EXPECT(3, board_number(board, 0, "absent", 3));
	EXPECT(true, board_flag(board, 0, "smooth", false));
	EXPECT(false, board_flag(board, 1, "smooth", false));
	EXPECT(true, board_flag(board, 1, "absent", true));
}

static void a_machine_that_cannot_be_read_has_no_driver(void)
{
	static const char *const wrong[] = {"[node]\n", "[card]\nname\n"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		write_board("cards.conf", wrong[i]);
		EXPECT(true, board_open(VARIABLE) == NULL);
	}
	EXPECT(true, board_open("HETERO_SIM_UNSET") == NULL);
	setenv("HETERO_SIM_UNSET", "/nonexistent", 1);
	EXPECT(true, board_open("HETERO_SIM_UNSET") == NULL);
	write_board("cards.conf", "");
	EXPECT(0, board_cards(open_board()));
}

static void a_change_is_noticed_and_the_old_stays_readable(void)
{
	write_board("cards.conf", "[card]\nhealth = good\n");
	struct board *before = open_board();
	const char *text = board_text(before, 0, "health", "");
	write_board("cards.conf", "[card]\nhealth = bad\n");
	EXPECT_TEXT("bad", board_text(open_board(), 0, "health", ""));
	EXPECT_TEXT("good", text);
}

static void files_come_and_go_with_their_directories(void)
{
	struct board *board = open_board();
	EXPECT(true, board_put(board, "root/dev/caps/cap_1", "first"));
	EXPECT(true, board_put(board, "root/dev/caps/cap_1", "second"));
	EXPECT(true, board_has("root/dev/caps/cap_1"));
	board_drop(board, "root/dev/caps/cap_1");
	board_drop(board, "root/dev/caps/cap_1");
	EXPECT(false, board_has("root/dev/caps/cap_1"));
	EXPECT(false, board_put(board, "cards.conf/below", ""));
}

static void *add(void *unused)
{
	for (int i = 0; i < 200; i++) {
		struct board *board = open_board();
		struct state *state = board_lock(board, sizeof *state);
		long long sum = state->sum;
		sched_yield();
		state->sum = sum + 1;
		board_unlock(board);
	}
	return unused;
}

static void add_with_threads(void)
{
	pthread_t threads[2];
	for (int i = 0; i < 2; i++)
		OK(pthread_create(&threads[i], NULL, add, NULL));
	for (int i = 0; i < 2; i++)
		OK(pthread_join(threads[i], NULL));
}

static void one_has_the_state_at_a_time(void)
{
	pid_t children[3];
	for (int i = 0; i < 3; i++)
		children[i] = start_child(add_with_threads);
	add_with_threads();
	for (int i = 0; i < 3; i++)
		expect_child(children[i]);
	struct board *board = open_board();
	struct state *state = board_lock(board, sizeof *state);
	EXPECT(1600, state->sum);
	EXPECT(0, state->entries[99]);
	board_unlock(board);
}

static struct steps steps;

static void hold_for_good(void)
{
	struct state *state = board_lock(open_board(), sizeof *state);
	state->entries[0] = 5;
	tell(steps.to_parent);
	for (;;)
		pause();
}

static void the_lock_of_a_dead_process_is_free(void)
{
	make_steps(&steps);
	pid_t child = start_child(hold_for_good);
	await(steps.to_parent);
	kill_child(child);
	struct board *board = open_board();
	struct state *state = board_lock(board, sizeof *state);
	EXPECT(5, state->entries[0]);
	board_unlock(board);
}

/* Had the child the parent's lock, it would not wait, or the parent would wait for the child for good. */
static void a_child_locks_for_itself(void)
{
	struct board *board = open_board();
	struct state *state = board_lock(board, sizeof *state);
	state->sum = 1;
	pid_t child = start_child(add_with_threads);
	EXPECT(1, state->sum);
	board_unlock(board);
	expect_child(child);
	state = board_lock(board, sizeof *state);
	EXPECT(401, state->sum);
	board_unlock(board);
}

static void a_state_that_cannot_be_made_is_told(void)
{
	struct board *board = open_board();
	write_board("state", "");
	char path[4096];
	unlink(board_path(board, path, "state"));
	OK(mkdir(path, 0755));
	EXPECT(true, board_lock(board, sizeof(struct state)) == NULL);
	EXPECT(true, board_lock(board, sizeof(struct state)) == NULL);
	OK(rmdir(path));
}

static struct board_fault fault(const char *call)
{
	return board_fault_of(open_board(), call);
}

static void faults_come_when_they_are_due(void)
{
	EXPECT(false, fault("make").fails);
	write_board("faults", "# first\nmake 2 fail -8008\nlook * garbage\nmake 3 die-after\n");
	EXPECT(false, fault("make").fails);
	struct board_fault second = fault("make");
	EXPECT(true, second.fails);
	EXPECT(-8008, second.code);
	EXPECT(true, fault("make").dies_after);
	EXPECT(false, fault("make").dies_after);
	EXPECT(true, fault("look").garbage);
	EXPECT(true, fault("look").garbage);
	write_board("faults", "* 3 fail 7\n");
	EXPECT(false, fault("make").fails);
	EXPECT(false, fault("look").fails);
	EXPECT(true, fault("any").fails);
	write_board("faults", "make * explode\n");
	EXPECT(false, fault("make").fails);
	write_board("faults", "make 0 fail 1\n");
	EXPECT(false, fault("make").fails);
}

static void call_once(void)
{
	tell(steps.to_parent);
	fault("make");
}

static int end_of(const char *action)
{
	int status;
	write_board("faults", action);
	pid_t child = start_child(call_once);
	await(steps.to_parent);
	EXPECT(child, waitpid(child, &status, 0));
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void a_call_can_die_stall_or_hang(void)
{
	struct timespec before, after;
	int status;
	EXPECT(SIGKILL, end_of("make 1 die\n"));
	clock_gettime(CLOCK_MONOTONIC, &before);
	EXPECT(0, end_of("make 1 stall 20\n"));
	clock_gettime(CLOCK_MONOTONIC, &after);
	EXPECT(true, (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 >= 20);
	write_board("faults", "make 1 hang\n");
	pid_t child = start_child(call_once);
	await(steps.to_parent);
	EXPECT(0, waitpid(child, &status, WNOHANG));
	kill_child(child);
}

int main(void)
{
	use_board(VARIABLE, "");
	keys_are_read_where_they_stand();
	a_machine_that_cannot_be_read_has_no_driver();
	a_change_is_noticed_and_the_old_stays_readable();
	files_come_and_go_with_their_directories();
	one_has_the_state_at_a_time();
	the_lock_of_a_dead_process_is_free();
	a_child_locks_for_itself();
	a_state_that_cannot_be_made_is_told();
	faults_come_when_they_are_due();
	a_call_can_die_stall_or_hang();
	remove_board();
	return 0;
}
