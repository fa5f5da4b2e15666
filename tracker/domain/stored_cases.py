"""The tables of reports and decisions, for stored_data.py."""

from typing import Final

from luckrig.tracker.domain.stored_table import Rule, Table, col

CASES: Final = (
    Table(
        name="cases",
        rules=(Rule(by=("subject_id",), empties={"subject_id": ""}, unless=("live case",)),),
        columns=(
            col("case_id", "the case's id", "case"),
            col("subject_kind", "rig, note, user or reply"),
            col("subject_id", "which one", "subject"),
            col("category", "of the gravest report"),
            col("severity", "how grave that is"),
            col("reports", "how many joined it"),
            col("opened_at", "when it was opened"),
            col("due_at", "when it should be decided"),
            col("closed_at", "when it was"),
        ),
    ),
    Table(
        name="reports",
        mine=("reporter_id",),
        rules=(
            Rule(
                by=("reporter_id",),
                empties={
                    "reason": None,
                    "evidence": None,
                    "name": None,
                    "email": None,
                    "claim": None,
                    "reporter_id": None,
                },
                unless=("open case",),
            ),
            Rule(by=("subject_id",), empties={"subject_id": ""}, unless=("live case",)),
        ),
        columns=(
            col("report_id", "a hash of the form's id"),
            col("case_id", "the case it joined", "case"),
            col("ticket_hash", "a hash of the ticket"),
            col("subject_kind", "rig, note, user or reply"),
            col("subject_id", "which one", "subject"),
            col("category", "what it is about"),
            col("reason", "what is wrong"),
            col("evidence", "where it can be seen"),
            col("name", "who reports it"),
            col("email", "their address"),
            col("claim", "what a copyright notice has to say"),
            col("language", "of the form"),
            col("reporter_id", "the key that signed it, if one did", "user"),
            col("trusted", "whether that is a trusted notifier's"),
            col("received_at", "when it came"),
            col("due_at", "when it should be decided"),
        ),
    ),
    Table(
        name="decisions",
        mine=("target_id",),
        rules=(
            Rule(
                by=("target_id",),
                empties={"target_id": "", "reason": "", "undone_reason": ""},
                unless=("in force", "appealed", "open case"),
            ),
        ),
        columns=(
            col("decision_id", "the decision's id", "decision"),
            col("case_id", "the case it is in", "case"),
            col("target_kind", "rig, note, user or network"),
            col("target_id", "which one", "subject"),
            col("action", "what was done"),
            col("category", "the case's"),
            col("ground", "law or terms"),
            col("rule", "which one"),
            col("reason", "why, for the affected one to read"),
            col("decided_by", "the operator's user id", "user", shown_with="decided_by"),
            col("decided_at", "when"),
            col("expires_at", "until when"),
            col("automated", "whether a trusted notifier's word did it until a person looks"),
            col("undone_at", "when it was taken back"),
            col("undone_by", "by whom", "user", shown_with="undone_by"),
            col("undone_reason", "why"),
        ),
    ),
    Table(
        name="appeals",
        mine=("appellant",),
        rules=(
            Rule(
                by=("appellant",),
                empties={"text": None, "counter_notice": None, "appellant": "{appeal_id}"},
                unless=("unanswered",),
            ),
        ),
        columns=(
            col("appeal_id", "the appeal's id"),
            col("decision_id", "against which decision", "decision"),
            col("by", "affected or reporter"),
            col("appellant", "their user id, or the report's id", "appellant"),
            col("text", "why the decision is wrong"),
            col("counter_notice", "what a copyright counter-notice has to say"),
            col("received_at", "when it came"),
            col("upheld", "whether the decision stands"),
            col("answered_by", "the operator's user id", "user", shown_with="answered_by"),
            col("answered_at", "when"),
            col("answer", "why"),
            col("same_reviewer", "whether whoever decided also answered"),
        ),
    ),
    Table(
        name="holds",
        columns=(
            col("case_id", "the case", "case"),
            col("subjects", "the ids whose rows stay"),
            col("by", "the operator's user id", "user"),
            col("reason", "why"),
            col("since", "from when"),
            col("until", "until when"),
        ),
    ),
    Table(
        name="audit",
        columns=(
            col("position", "0, 1, 2, …"),
            col("entry", "what was done"),
            col("hash", "over this line and all before it"),
        ),
    ),
)
