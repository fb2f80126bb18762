// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The kernel inlines a look-up where the call has one table, whatever way led there. A compiler that makes one call of
// two, with either table, costs an established packet a tenth more; nothing else shows it.
#include "loading.hpp"

#include <catch2/catch_test_macros.hpp>
#include <linux/bpf.h>

#include <array>
#include <map>
#include <optional>
#include <set>
#include <vector>

using namespace sallyport;
using namespace sallyport::test;

namespace {

/// Which tables each register may hold, by their descriptors.
using Registers = std::array<std::set<int>, MAX_BPF_REG>;

/// A program's code with what each instruction may find in the registers.
class Code
{
public:
    explicit Code(const bpf_program* program)
        : code_(bpf_program__insns(program)),
          size_(bpf_program__insn_cnt(program)),
          before_(size_)
    {
        reach(0, {});
        for (std::size_t at = 0; at < size_; ++at)
            if (is_call(at, BPF_PSEUDO_CALL))
                reach(target_of(at, code_[at].imm), {});  // a function, whose arguments are no tables
        while (!waiting_.empty()) {
            const std::size_t at = *waiting_.begin();
            waiting_.erase(waiting_.begin());
            step(at);
        }
    }

    /// The most tables that one look-up has, and how many look-ups there are.
    std::pair<std::size_t, std::size_t> look_ups() const
    {
        std::size_t most = 0;
        std::size_t count = 0;
        for (std::size_t at = 0; at < size_; ++at)
            if (is_call(at, 0) && code_[at].imm == BPF_FUNC_map_lookup_elem && before_[at]) {
                most = std::max(most, (*before_[at])[BPF_REG_1].size());
                ++count;
            }
        return {most, count};
    }

private:
    bool is_call(std::size_t at, int kind) const
    {
        return code_[at].code == (BPF_JMP | BPF_CALL) && code_[at].src_reg == kind;
    }

    static std::size_t target_of(std::size_t at, int offset)
    {
        return static_cast<std::size_t>(static_cast<std::ptrdiff_t>(at) + offset + 1);
    }

    void reach(std::size_t at, const Registers& with)
    {
        if (at >= size_)
            return;
        Registers joined = before_[at].value_or(Registers{});
        for (std::size_t i = 0; i < joined.size(); ++i)
            joined[i].insert(with[i].begin(), with[i].end());
        if (before_[at] == joined)
            return;
        before_[at] = joined;
        waiting_.insert(at);
    }

    void step(std::size_t at)
    {
        const bpf_insn& instruction = code_[at];
        const int kind = BPF_CLASS(instruction.code);
        Registers after = *before_[at];
        if (instruction.code == (BPF_LD | BPF_IMM | BPF_DW)) {
            const bool is_table = instruction.src_reg == BPF_PSEUDO_MAP_FD;
            after[instruction.dst_reg] = is_table ? std::set{instruction.imm} : std::set<int>{};
            return reach(at + 2, after);
        }
        if (kind == BPF_ALU64 || kind == BPF_ALU || kind == BPF_LDX)
            after[instruction.dst_reg] =
                instruction.code == (BPF_ALU64 | BPF_MOV | BPF_X) ? after[instruction.src_reg] : std::set<int>{};
        if (kind != BPF_JMP && kind != BPF_JMP32)
            return reach(at + 1, after);
        const int what = BPF_OP(instruction.code);
        if (what == BPF_EXIT)
            return;
        if (what == BPF_CALL)
            for (int i = BPF_REG_0; i <= BPF_REG_5; ++i)
                after[static_cast<std::size_t>(i)].clear();
        else
            reach(target_of(at, instruction.off), after);
        if (what != BPF_JA)
            reach(at + 1, after);
    }

    const bpf_insn* code_;
    std::size_t size_;
    std::vector<std::optional<Registers>> before_;
    std::set<std::size_t> waiting_;
};

void check(bpf_object* object)
{
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object)
    {
        const auto [most, count] = Code(program).look_ups();
        INFO(bpf_program__name(program) << ": " << count << " look-ups");
        CHECK(count > 0);
        CHECK(most == 1);
    }
}

}  // namespace

TEST_CASE("each look-up has one table, so that the kernel inlines it")
{
    const auto node = load_node({});
    check(node->obj);
    check(load_pod(*node)->obj);
}
