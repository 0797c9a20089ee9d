// SPDX-License-Identifier: GPL-2.0
// itmectl doctor
#include "app.hpp"

#include "doctor/doctor.hpp"

#include <memory>

namespace itmectl
{
namespace
{

std::string as_text(const itme::Findings &findings)
{
	std::string text;

	for (const auto &finding : findings) {
		text += fmt::format("{:<4}  {:<8} {}\n", itme::status_name(finding.status),
				    finding.check, printable(finding.text));
		if (!finding.fix.empty())
			text += fmt::format("{:15}fix: {}\n", "", printable(finding.fix));
	}
	return text;
}

int doctor(Context &ctx, const itme::DoctorRequest &request)
{
	const auto findings = itme::run_doctor(request);
	Table table{{{"check", "CHECK", Kind::text},
		     {"status", "STATUS", Kind::text},
		     {"finding", "FINDING", Kind::text},
		     {"fix", "FIX", Kind::text}},
		    {}};
	int status = exit_ok;

	for (const auto &finding : findings) {
		table.rows.push_back({finding.check, itme::status_name(finding.status),
				      finding.text,
				      finding.fix.empty() ? Json() : Json(finding.fix)});
		if (finding.status == itme::Status::fail)
			status = exit_failure;
	}
	if (!ctx.json && ctx.columns.empty()) {
		ctx.print(as_text(findings));
		return status;
	}
	const int shown = ctx.show(render_list(table, ctx.style()));
	return shown ? shown : status;
}

} // namespace

void add_doctor(CLI::App &app, Context &ctx)
{
	CLI::App *sub = app.add_subcommand(
		"doctor", "Check kernel, module, CXL memory and limits; say how to mend them");
	auto request = std::make_shared<itme::DoctorRequest>();

	sub->fallthrough();
	sub->add_option("--root", request->root, "Look at the proc, sys and boot of this tree")
		->type_name("DIR");
	sub->add_option("--module", request->module, "Check this itme.ko against the kernel")
		->type_name("FILE");
	sub->callback([&ctx, request] { ctx.status = doctor(ctx, *request); });
}

} // namespace itmectl
