"""Every service of a tracker, made of its store, keys and settings. Knows no HTTP and no loops."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from luckrig.protocol.telemetry import Telemetry
from luckrig.protocol.tokens import Tier
from luckrig.tracker.domain.reach import ReachBook
from luckrig.tracker.service.appeals import Appeals
from luckrig.tracker.service.bans import BanService
from luckrig.tracker.service.case_desk import CaseDesk
from luckrig.tracker.service.comparisons import ComparisonService
from luckrig.tracker.service.decisions import DecisionService
from luckrig.tracker.service.keyset import KeysetService, TrackerKeys
from luckrig.tracker.service.ledger import Ledger
from luckrig.tracker.service.log import LogService
from luckrig.tracker.service.new_ids import NewIds
from luckrig.tracker.service.nodes import NodeService
from luckrig.tracker.service.notes import NoteService
from luckrig.tracker.service.operators import Operators
from luckrig.tracker.service.own_things import OwnThings
from luckrig.tracker.service.people import PeopleService
from luckrig.tracker.service.receipts import ReceiptService
from luckrig.tracker.service.reports import ReportService
from luckrig.tracker.service.retention import RetentionService
from luckrig.tracker.service.revocations import RevocationService
from luckrig.tracker.service.scores import ScoreService
from luckrig.tracker.service.sessions import SessionService
from luckrig.tracker.service.showcase import ShowcaseService
from luckrig.tracker.service.statements import StatementService
from luckrig.tracker.service.subjects import Subjects
from luckrig.tracker.service.tokens import Allowance, TokenService
from luckrig.tracker.service.transparency import TransparencyService
from luckrig.tracker.service.users import RegistrationRules, UserService
from luckrig.tracker.service.wishes import WishService
from luckrig.tracker.settings import TrackerSettings
from luckrig.tracker.store.interface import Store


@dataclass(frozen=True, kw_only=True)
class Services:
    """What routes and loops work with."""

    bans: BanService
    comparisons: ComparisonService
    desk: CaseDesk
    decisions: DecisionService
    keyset: KeysetService
    ledger: Ledger
    log: LogService
    nodes: NodeService
    notes: NoteService
    operators: Operators
    own_things: OwnThings
    people: PeopleService
    receipts: ReceiptService
    reports: ReportService
    retention: RetentionService
    revocations: RevocationService
    scores: ScoreService
    sessions: SessionService
    showcase: ShowcaseService
    statements: StatementService
    tokens: TokenService
    transparency: TransparencyService
    users: UserService
    wishes: WishService


def make_services(
    settings: TrackerSettings,
    store: Store,
    keys: TrackerKeys,
    reach: ReachBook,
    *,
    clock: Callable[[], float],
    random_bytes: Callable[[int], bytes],
    on_publish: Callable[[], None],
    on_bans: Callable[[], None],
    on_erased: Callable[[Collection[str]], None],
    on_wish: Callable[[str], None],
    telemetry: Callable[[str], Telemetry | None],
) -> Services:
    """All of them.

    on_publish: called when a rig's descriptor was published; on_bans: when somebody was held, let
    go or replaced; on_erased: with the ids of rigs that were deleted with their owner; on_wish:
    with the id of a rig whose owner wants something else. telemetry: a rig's last heartbeat.
    """
    wishes = WishService(store, clock=clock, on_wish=on_wish)
    revocations = RevocationService(store, keys, wishes, clock=clock)

    def on_change() -> None:
        revocations.forget()
        on_bans()

    def on_gone(node_ids: Collection[str]) -> None:
        on_change()  # their tokens are called back
        on_erased(node_ids)

    operators = Operators(settings.operators)
    bans = BanService(store, clock=clock)
    users = UserService(
        store,
        keys,
        bans,
        operators,
        rules=_registration(settings),
        clock=clock,
        random_bytes=random_bytes,
        on_change=on_change,
    )
    nodes = NodeService(
        store,
        bans,
        check_owner=users.check,
        public_url=settings.public_url,
        allow_private_endpoints=settings.allow_private_endpoints,
        clock=clock,
        on_publish=on_publish,
        reach=reach,
    )
    ledger = Ledger(store, keys, account_of=users.account_of, promote=users.promote, clock=clock)
    notes = NoteService(store, bans, ledger, clock=clock)
    subjects = Subjects(store, clock=clock)
    new_id = NewIds(clock=clock, random_bytes=random_bytes)
    appeals = Appeals(store, clock=clock, new_id=new_id)
    scores = ScoreService(store, ledger, operators, bans, tier_of=users.tier_of, clock=clock)
    return Services(
        bans=bans,
        comparisons=ComparisonService(nodes, scores),
        desk=CaseDesk(store, keys, subjects, operators, clock=clock),
        decisions=DecisionService(
            store,
            subjects,
            operators,
            clock=clock,
            new_id=new_id,
            on_change=on_change,
        ),
        keyset=KeysetService(keys, clock=clock),
        ledger=ledger,
        log=LogService(store, keys, clock=clock),
        nodes=nodes,
        notes=notes,
        operators=operators,
        own_things=OwnThings(
            store, nodes, wishes, telemetry=telemetry, clock=clock, on_revoked=on_change
        ),
        people=PeopleService(store, users, clock=clock, on_erased=on_gone),
        receipts=ReceiptService(
            store, bans, ledger, author_of=notes.author_of, secret=keys.pairwise, clock=clock
        ),
        reports=ReportService(
            store,
            subjects,
            appeals,
            secret=keys.pairwise,
            public_url=settings.public_url,
            trusted=settings.trusted_notifiers,
            per_hour=settings.reports_per_hour_prefix,
            clock=clock,
            new_id=new_id,
            on_change=on_change,
        ),
        retention=RetentionService(store, users, clock=clock),
        revocations=revocations,
        scores=scores,
        sessions=SessionService(store, operators, clock=clock, random_bytes=random_bytes),
        showcase=ShowcaseService(store, nodes, bans, clock=clock),
        statements=StatementService(store, users, appeals),
        tokens=TokenService(
            store,
            keys,
            bans,
            users,
            allowances=_allowances(settings),
            ttl_seconds=settings.token_ttl_seconds,
            tokens_per_hour_prefix=settings.tokens_per_hour_prefix,
            is_about=notes.is_about,
            revoked=revocations.lists,
            clock=clock,
            random_bytes=random_bytes,
        ),
        transparency=TransparencyService(store.cases, tracker=keys.root_id, clock=clock),
        users=users,
        wishes=wishes,
    )


def _registration(settings: TrackerSettings) -> RegistrationRules:
    return RegistrationRules(
        mode=settings.registration,
        work_bits=settings.registration_work,
        per_day=settings.registrations_per_day_prefix,
    )


def _allowances(settings: TrackerSettings) -> dict[Tier, Allowance]:
    return {
        "limited": Allowance(limits=settings.limited, tokens_per_hour=settings.tokens_per_hour),
        "contributor": Allowance(
            limits=settings.contributor, tokens_per_hour=settings.tokens_per_hour_contributor
        ),
    }
