// SPDX-License-Identifier: GPL-2.0
// The netlink family itme: each command with its attributes, right and wrong.
#include "executor.hpp"
#include "genl.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <linux/itme.h>
#include <linux/itme_netlink.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace fuzz
{

/// An attribute that is 0 is left out, as one that is not written; this is one that is 0.
static constexpr std::uint64_t zero = 0x0e0e0e0e0e0e0e0e;

/// Values that stand for what only a running program knows.
static constexpr std::uint64_t mapping = 0x1a1a1a1a1a1a1a1a;

enum : std::uint64_t { self = 0x50000000, child, zombie, dead, parent };

static constexpr Choice numbers[] = {{"1", 1},	  {"1", 1},	      {"1", 1}, {"1", 1},
				     {"2", 2},	  {"2", 2},	      {"3", 3}, {"zero", zero},
				     {"none", 0}, {"max", 0xffffffff}};
static constexpr Choice others[] = {{"none", 0}, {"none", 0}, {"1", 1}, {"2", 2}, {"64", 64}};
static constexpr Choice empty[] = {{"zero", zero}};
static constexpr Choice tiers[] = {{"none", 0}, {"DRAM", zero}, {"CXL", 1}, {"NVME", 2}, {"NR", 3}};
static constexpr Choice advices[] = {{"WILLNEED", zero}, {"COLD", 1},  {"PAGEOUT", 2}, {"HOT", 3},
				     {"PIN", 4},	 {"UNPIN", 5}, {"NR", 6},      {"none", 0}};
static constexpr Choice budgets[] = {{"none", 0},	{"8M", 8 << 20},   {"10M", 10 << 20},
				     {"16M", 16 << 20}, {"64M", 64 << 20}, {"4K", 4096},
				     {"zero", zero},	{"max", ~0ULL}};
static constexpr Choice times[] = {{"none", 0}, {"zero", zero}, {"1us", 1000}, {"max", ~0ULL}};
static constexpr Choice pids[] = {{"none", 0},	   {"none", 0},	      {"none", 0},
				  {"self", self},  {"self", self},    {"init", 1},
				  {"kthreadd", 2}, {"child", child},  {"zombie", zombie},
				  {"dead", dead},  {"parent", parent}};
static constexpr Choice addresses[] = {{"none", 0},    {"none", 0},    {"map", mapping},
				       {"zero", zero}, {"page", 4096}, {"user", 0x7ffffffff000},
				       {"max", ~0ULL}};
static constexpr Choice switches[] = {{"no", 0}, {"yes", 1}};
static constexpr Choice counts[] = {{"none", 0}, {"1", 1},   {"2", 2},	 {"3", 3},
				    {"17", 17},	 {"64", 64}, {"65", 65}, {"1000", 1000}};
static constexpr Choice strides[] = {{"none", 0},	  {"4K", 0x1000},     {"64K", 0x10000},
				     {"2M", 0x200000},	  {"4M-1", 0x3fffff}, {"-2M", -0x200000ULL},
				     {"high", 1ULL << 62}};
static constexpr Choice indices[] = {{"none", 0}, {"up", 1},   {"same", 2},
				     {"by3", 3},  {"down", 4}, {"far", 5}};

/// What of the answers is read at once; the rest stays for nl_read, or for nobody.
static constexpr Choice reads[] = {{"all", 0}, {"none", 1}, {"one", 2}};
static constexpr Choice message_flags[] = {
	{"do", 0}, {"dump", NLM_F_DUMP}, {"root", NLM_F_ROOT}, {"echo", NLM_F_ECHO}};
static constexpr Choice repeats[] = {{"once", 0}, {"2", 2}, {"20", 20}, {"70", 70}, {"300", 300}};
static constexpr Choice breaks[] = {
	{"none", 0},	  {"cut", 1},	    {"cut_short", 2}, {"overlong", 3}, {"attr_len", 4},
	{"attr_over", 5}, {"attr_type", 6}, {"nested", 7},    {"unknown", 8},  {"twice", 9},
	{"command", 10},  {"headless", 11}, {"byte", 12}};
static constexpr Choice socket_kinds[] = {{"plain", 0},	  {"ext_ack", 1},      {"events", 2},
					  {"small", 4},	  {"small_events", 6}, {"strict", 8},
					  {"cap_ack", 16}};

enum class Form { u32, uint, flag, text };

struct Attribute {
	Field field;
	std::uint16_t type;
	Form form;
};

struct Command {
	std::string_view name;
	unsigned weight;
	std::uint8_t number;
	std::vector<Attribute> attributes;
};

/// What all commands have, first.
static constexpr Field common[] = {
	{"socket", Kind::socket},	   {"flags", Kind::reserved, message_flags},
	{"read", Kind::reserved, reads},   {"repeat", Kind::reserved, repeats},
	{"break", Kind::reserved, breaks}, {"where", Kind::small},
};

/// Not attributes, but what stages and triggers are made of.
static constexpr Field shape[] = {
	{"object", Kind::choice, numbers},  {"other", Kind::choice, others},
	{"offset", Kind::offset},	    {"length", Kind::length, empty},
	{"stride", Kind::choice, strides},  {"stages", Kind::choice, counts},
	{"ranges", Kind::choice, counts},   {"index", Kind::choice, indices},
	{"triggers", Kind::choice, counts}, {"targets", Kind::choice, counts},
};

static const std::vector<Command> &commands()
{
	static const Attribute plan_id = {{"id", Kind::choice, numbers}, ITME_A_PLAN_ID, Form::u32};
	static const Attribute tier = {{"tier", Kind::choice, tiers}, ITME_A_TIER_TIER, Form::u32};
	static const std::vector<Command> all = {
		{"nl_tier_get", 3, ITME_CMD_TIER_GET, {tier}},
		{"nl_tier_set",
		 4,
		 ITME_CMD_TIER_SET,
		 {tier, {{"budget", Kind::choice, budgets}, ITME_A_TIER_BUDGET, Form::uint}}},
		{"nl_object_get",
		 4,
		 ITME_CMD_OBJECT_GET,
		 {{{"id", Kind::choice, numbers}, ITME_A_OBJECT_ID, Form::u32},
		  {{"name", Kind::name}, ITME_A_OBJECT_NAME, Form::text}}},
		{"nl_advise",
		 16,
		 ITME_CMD_ADVISE,
		 {{{"object", Kind::choice, numbers}, ITME_A_HINT_OBJECT, Form::u32},
		  {{"offset", Kind::offset}, ITME_A_HINT_OFFSET, Form::uint},
		  {{"length", Kind::length}, ITME_A_HINT_LENGTH, Form::uint},
		  {{"advice", Kind::choice, advices}, ITME_A_HINT_ADVICE, Form::u32},
		  {{"tier", Kind::choice, tiers}, ITME_A_HINT_TIER, Form::u32},
		  {{"pid", Kind::choice, pids}, ITME_A_HINT_PID, Form::u32},
		  {{"address", Kind::choice, addresses}, ITME_A_HINT_ADDRESS, Form::uint}}},
		{"nl_plan_set",
		 24,
		 ITME_CMD_PLAN_SET,
		 {{{"id", Kind::reserved, numbers}, ITME_A_PLAN_ID, Form::u32},
		  {{"name", Kind::name}, ITME_A_PLAN_NAME, Form::text},
		  {{"cyclic", Kind::choice, switches}, ITME_A_PLAN_CYCLIC, Form::flag},
		  {{"lookahead", Kind::length}, ITME_A_PLAN_LOOKAHEAD, Form::uint},
		  {{"budget", Kind::length}, ITME_A_PLAN_BUDGET, Form::uint},
		  {{"more", Kind::reserved, switches}, ITME_A_PLAN_MORE, Form::flag}}},
		{"nl_plan_get", 6, ITME_CMD_PLAN_GET, {plan_id}},
		{"nl_plan_del", 4, ITME_CMD_PLAN_DEL, {plan_id}},
		{"nl_plan_step",
		 6,
		 ITME_CMD_PLAN_STEP,
		 {plan_id, {{"at", Kind::choice, numbers}, ITME_A_PLAN_AT, Form::u32}}},
		{"nl_stats_get",
		 2,
		 ITME_CMD_STATS_GET,
		 {{{"object", Kind::choice, numbers}, ITME_A_STATS_OBJECT, Form::u32}}},
		{"nl_config_get", 1, ITME_CMD_CONFIG_GET, {}},
		{"nl_config_set",
		 2,
		 ITME_CMD_CONFIG_SET,
		 {{{"threshold", Kind::choice, times}, ITME_A_CONFIG_STALL_THRESHOLD, Form::uint}}},
	};

	return all;
}

static const Command &command_of(const Call &call)
{
	return *std::ranges::find(commands(), call.op->name, &Command::name);
}

/// A process for the time of one call.
class Child
{
public:
	explicit Child(std::uint64_t what)
	{
		sigset_t none = {};

		if (what < child || what > dead)
			return;
		pid_ = fork();
		if (!pid_) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (what == child)
				sigsuspend(&none);
			_exit(0);
		}
		if (what == zombie)
			waitid(P_PID, static_cast<id_t>(pid_), nullptr, WEXITED | WNOWAIT);
		if (what == dead)
			waitpid(std::exchange(gone_, pid_), nullptr, 0);
	}

	Child(const Child &) = delete;
	Child &operator=(const Child &) = delete;

	~Child()
	{
		if (pid_ <= 0 || gone_)
			return;
		kill(pid_, SIGKILL);
		waitpid(pid_, nullptr, 0);
	}

	pid_t pid() const { return pid_; }

private:
	pid_t pid_ = 0;
	pid_t gone_ = 0;
};

static std::uint64_t resolved(Executor &exec, const Call &call, const Child &process,
			      std::uint64_t value)
{
	switch (value) {
	case zero:
		return 0;
	case mapping:
		return reinterpret_cast<std::uintptr_t>(exec.map(call, "map").base);
	case self:
		return static_cast<std::uint64_t>(getpid());
	case parent:
		return static_cast<std::uint64_t>(getppid());
	case child:
	case zombie:
	case dead:
		return static_cast<std::uint64_t>(process.pid());
	default:
		return value;
	}
}

static void put(Message &message, const Attribute &attribute, const Call &call, std::uint64_t value)
{
	switch (attribute.form) {
	case Form::u32:
		message.put_u32(attribute.type, value);
		break;
	case Form::uint:
		message.put_uint(attribute.type, value);
		break;
	case Form::flag:
		message.put(attribute.type, nullptr, 0);
		break;
	case Form::text:
		const std::string &text = call.text(attribute.field.name);

		message.put(attribute.type, text.c_str(), text.size() + 1);
	}
}

/// The nth range of a plan, in either of its objects by turns.
static void put_range(Message &message, const Call &call, std::uint16_t type, std::uint64_t nth)
{
	std::uint64_t object = call.value("object"), other = call.value("other");
	std::uint64_t offset = call.value("offset") + nth * call.value("stride");
	std::uint64_t length = call.value("length");
	std::size_t nest = message.nest(type);

	if (nth % 2 && other)
		object = other;
	if (object)
		message.put_u32(ITME_A_RANGE_OBJECT, object == zero ? 0 : object);
	if (offset)
		message.put_uint(ITME_A_RANGE_OFFSET, offset);
	if (length)
		message.put_uint(ITME_A_RANGE_LENGTH, length == zero ? 0 : length);
	message.end(nest);
}

static void put_index(Message &message, const Call &call, std::uint64_t stage)
{
	static constexpr std::uint64_t far = 65535;

	switch (call.value("index")) {
	case 1:
		message.put_u32(ITME_A_STAGE_INDEX, stage);
		break;
	case 2:
		message.put_u32(ITME_A_STAGE_INDEX, 0);
		break;
	case 3:
		message.put_u32(ITME_A_STAGE_INDEX, 3 * stage);
		break;
	case 4:
		message.put_u32(ITME_A_STAGE_INDEX, far - stage);
		break;
	case 5:
		message.put_u32(ITME_A_STAGE_INDEX, far + stage);
		break;
	default:
		break;
	}
}

static void put_shape(Message &message, const Call &call)
{
	static constexpr std::size_t most = 1 << 20;
	std::uint64_t triggers = call.value("triggers");
	std::uint64_t nth = 0;

	for (std::uint64_t i = 0; i < call.value("stages") && message.size() < most; i++) {
		std::size_t nest = message.nest(ITME_A_PLAN_STAGE);

		put_index(message, call, i);
		for (std::uint64_t j = 0; j < call.value("ranges") && message.size() < most; j++)
			put_range(message, call, ITME_A_STAGE_RANGE, nth++);
		message.end(nest);
	}
	/* The targets of one are the sources of those after it, and of the first after the last:
	 * cycles.
	 */
	for (std::uint64_t i = 0; i < triggers && message.size() < most; i++) {
		std::size_t nest = message.nest(ITME_A_PLAN_TRIGGER);

		put_range(message, call, ITME_A_TRIGGER_SOURCE, i);
		for (std::uint64_t j = 1; j <= call.value("targets") && message.size() < most; j++)
			put_range(message, call, ITME_A_TRIGGER_TARGET, (i + j) % triggers);
		message.end(nest);
	}
}

static void judge_tier(Executor &exec, const Call &call, const nlmsghdr &answer)
{
	auto number = [&](std::uint16_t type) {
		std::uint64_t value = 0;
		auto data = attribute_of(answer, type);

		std::memcpy(&value, data.data(), std::min(data.size(), sizeof(value)));
		return value;
	};

	if (!exec.parallel() && number(ITME_A_TIER_USED) > number(ITME_A_TIER_BUDGET))
		exec.violation(call, "more used than the budget");
}

static void judge_plan(Executor &exec, const Call &call, const nlmsghdr &answer)
{
	if (attribute_of(answer, ITME_A_PLAN_ID).size() != sizeof(std::uint32_t))
		exec.violation(call, "a plan without a number");
}

/// Commands with a reply in the specification; of a plan, its last message.
static bool replies(const Call &call, const Command &command)
{
	switch (command.number) {
	case ITME_CMD_PLAN_DEL:
	case ITME_CMD_PLAN_STEP:
	case ITME_CMD_CONFIG_SET:
		return false;
	case ITME_CMD_PLAN_SET:
		return !call.value("more");
	default:
		return true;
	}
}

static void judge(Executor &exec, const Call &call, const Command &command, long result,
		  unsigned answers)
{
	bool change = command.number == ITME_CMD_TIER_SET || command.number == ITME_CMD_PLAN_SET ||
		      command.number == ITME_CMD_PLAN_DEL || command.number == ITME_CMD_PLAN_STEP ||
		      command.number == ITME_CMD_CONFIG_SET;

	/* No answer: its socket was full, or another thread has read it. */
	if (call.value("break") || call.value("flags") || result == -EAGAIN)
		return;
	if (!result && !exec.parallel() && answers != replies(call, command))
		exec.violation(call, std::to_string(answers) + " replies");
	/* All but those who have lost CAP_SYS_ADMIN alone, which the family does not need. */
	if (Executor::dropped && geteuid() != 0 && change)
		exec.expect_error(call, result, "changes need privileges");
	if (Executor::dropped && command.number == ITME_CMD_ADVISE &&
	    (call.value("advice") == ITME_ADVICE_PIN || call.value("advice") == ITME_ADVICE_UNPIN))
		exec.expect_error(call, result, "PIN and UNPIN need CAP_SYS_ADMIN");
}

static void run_command(Executor &exec, const Call &call)
{
	const Command &command = command_of(call);
	std::uint64_t repeat = std::clamp<std::uint64_t>(call.value("repeat"), 1, 300);
	std::uint64_t read = call.value("read");
	int fd = exec.fd(call, "socket");
	auto flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | call.value("flags"));
	Message message(family().id, command.number, flags);
	const Attribute *pid = nullptr;

	for (const Attribute &attribute : command.attributes)
		if (attribute.type == ITME_A_HINT_PID && command.number == ITME_CMD_ADVISE)
			pid = &attribute;
	Child process(pid ? call.value(pid->field.name) : 0);
	for (const Attribute &attribute : command.attributes) {
		bool text = attribute.form == Form::text;
		std::uint64_t value = text ? 0 : call.value(attribute.field.name);

		if (text ? !call.text(attribute.field.name).empty() : value != 0)
			put(message, attribute, call, resolved(exec, call, process, value));
	}
	if (command.number == ITME_CMD_PLAN_SET)
		put_shape(message, call);
	message.spoil(static_cast<Break>(call.value("break")), call.value("where"));

	unsigned answers = 0;
	auto take = [&](const nlmsghdr &answer) {
		if (answer.nlmsg_type != family().id)
			return;
		const auto *generic = static_cast<const genlmsghdr *>(NLMSG_DATA(&answer));

		answers += generic->cmd == command.number;
		if (generic->cmd == ITME_CMD_TIER_GET || generic->cmd == ITME_CMD_TIER_SET)
			judge_tier(exec, call, answer);
		if (generic->cmd == ITME_CMD_PLAN_SET || generic->cmd == ITME_CMD_PLAN_GET)
			judge_plan(exec, call, answer);
	};
	for (; repeat; repeat--) {
		auto bytes = message.bytes();

		answers = 0;
		long result = exec.sys(call, [&]() -> long {
			if (read)
				return send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
			long answer = request(fd, message, take);

			errno = static_cast<int>(-answer);
			return answer ? -1 : 0;
		});

		if (read == 2)
			take_messages(fd, 1, take);
		if (!read)
			judge(exec, call, command, result, answers);
	}
}

/// Whoever is told of events need not read.
static void open_socket(Executor &exec, const Call &call)
{
	std::uint64_t kind = call.value("kind");
	int one = 1, few = 1, much = 4 << 20;
	long fd = exec.sys(call, [] {
		return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_GENERIC);
	});
	auto set = [&](int level, int option, const void *value, socklen_t length) {
		setsockopt(static_cast<int>(fd), level, option, value, length);
	};

	if (fd < 0)
		return;
	set(SOL_SOCKET, SO_SNDBUFFORCE, &much, sizeof(much));
	if (kind & 1)
		set(SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	if (kind & 2)
		set(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &family().events, sizeof(family().events));
	if (kind & 4)
		set(SOL_SOCKET, SO_RCVBUF, &few, sizeof(few));
	if (kind & 8)
		set(SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	if (kind & 16)
		set(SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	exec.put(call, fd);
}

static void read_socket(Executor &exec, const Call &call)
{
	auto most = static_cast<unsigned>(std::min<std::uint64_t>(call.value("most"), 1000));

	exec.sys(call, [&] {
		return take_messages(exec.fd(call, "socket"), most ? most : 1000,
				     [](const nlmsghdr &) {});
	});
}

static constexpr Field socket_fields[] = {{"kind", Kind::choice, socket_kinds},
					  {"to", Kind::socket}};
static constexpr Field read_fields[] = {{"socket", Kind::socket}, {"most", Kind::small}};

/// The commands' fields, which ops only point to.
static const std::vector<std::vector<Field>> &fields_of_commands()
{
	static const std::vector<std::vector<Field>> all = [] {
		std::vector<std::vector<Field>> made;

		for (const Command &command : commands()) {
			std::vector<Field> fields(std::begin(common), std::end(common));

			for (const Attribute &attribute : command.attributes)
				fields.push_back(attribute.field);
			if (command.number == ITME_CMD_PLAN_SET)
				fields.insert(fields.end(), std::begin(shape), std::end(shape));
			if (command.number == ITME_CMD_ADVISE)
				fields.push_back({"map", Kind::map});
			made.push_back(std::move(fields));
		}
		return made;
	}();

	return all;
}

std::span<const Op> netlink_ops()
{
	static const std::vector<Op> ops = [] {
		std::vector<Op> made = {{"nl_socket", 6, socket_fields, open_socket},
					{"nl_read", 4, read_fields, read_socket}};

		for (std::size_t i = 0; i < commands().size(); i++)
			made.push_back({commands()[i].name, commands()[i].weight,
					fields_of_commands()[i], run_command});
		return made;
	}();

	return ops;
}

} // namespace fuzz
