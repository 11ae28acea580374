"""The sixty faults and what a careful engineer would say of each.

This file holds expectations and nothing else: how a fault is planted is in ``plants.py``. The
expectations were written down before anything was run against them, so that the answer of a
diagnosing tool is measured against an engineer's judgement and not the other way about. The
sha256 of this file is recorded in ``EXPECTATIONS.md``.

How to read the fields:

* ``engineer_says``: any of these names is a right answer. ``none`` means that nothing is wrong,
  ``inconclusive`` that it cannot be told from outside. A name that begins with ``other:`` is in
  words because the vocabulary has no name for it.
* ``may_confirm``: whether the cause may be called *proven* with the contrasts that the world
  offers (a second account's key, a control site, the status page, our own service). It is false
  where nothing is wrong, because there is no cause to prove.
* ``severity``: any of these levels is right; 0 stands for "no severity, nothing to raise".
* ``pages_somebody``: whether somebody is to be woken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

VOCABULARY: Final = frozenset(
    {
        "key_leaked",
        "api_key_expired",
        "vendor_outage",
        "rate_limit_exceeded",
        "api_path_changed",
        "network_issue",
        "service_crash",
        "intermittent_errors",
        "slow_vendor",
        "key_expires_soon",
        "key_missing",
        "vendor_auth_down",
        "key_lacks_scope",
        "access_denied",
        "consumer_not_restarted",
        "rate_limit_shared",
        "rate_limit_near",
        "dns_failure",
        "tls_failure",
        "vendor_hangs",
        "slow_network",
        "answered_by_another",
        "api_contract_changed",
        "record_gone",
        "vendor_maintenance",
        "service_unhealthy",
        "slow_service",
        "clock_wrong",
        "sync_stalled",
        "source_gone_quiet",
        "watermark_in_future",
        "occasional_failures",
        "gateway_fault",
        "none",
        "inconclusive",
    }
)
"""Every name that an expectation may use without the prefix ``other:``."""


@dataclass(frozen=True)
class Fault:
    """One planted fault, with the judgement that it is to be measured against."""

    id: str
    planted: str
    engineer_says: frozenset[str]
    may_confirm: bool
    severity: frozenset[int]
    pages_somebody: bool
    why: str


def _fault(
    fault_id: str,
    *,
    planted: str,
    says: str,
    confirm: bool,
    severity: tuple[int, ...],
    pages: bool,
    why: str,
    other: str | None = None,
) -> Fault:
    """Build one fault; ``says`` holds vocabulary names parted by blanks."""
    names = set(says.split())
    if other is not None:
        names.add(f"other:{other}")
    return Fault(
        id=fault_id,
        planted=planted,
        engineer_says=frozenset(names),
        may_confirm=confirm,
        severity=frozenset(severity),
        pages_somebody=pages,
        why=why,
    )


FAULTS: Final[tuple[Fault, ...]] = (
    # --- keys and permissions -------------------------------------------------------------
    _fault(
        "key_revoked_second_ok",
        planted="Our key gets 401 {'error': 'Invalid token'} on every path; a second account's "
        "key gets data on the same host. Status page green.",
        says="api_key_expired",
        confirm=True,
        severity=(1,),
        pages=True,
        why="The vendor's own JSON refusal names the token, and another account is served by the "
        "same host in the same minute. So login works in general and it is our key alone that "
        "is no longer good.",
    ),
    _fault(
        "old_key_after_rotation",
        planted="Our key gets 401 everywhere, the newly made key of the same user gets data, and "
        "the service's log says that it still holds version 3 while the store holds version 4. "
        "There is no second account.",
        says="consumer_not_restarted api_key_expired",
        confirm=True,
        severity=(1,),
        pages=True,
        why="The new key works, so account and platform are well; the key in use has been "
        "withdrawn. The log tells that the process was started before the rotation and never "
        "read the new key. Either name leads to the same repair.",
    ),
    _fault(
        "key_refused_no_contrast",
        planted="Our key gets 401 {'error': 'Invalid token'} everywhere. No second key, no new "
        "key, no health page. Status page (Statuspage v2) green.",
        says="api_key_expired inconclusive",
        confirm=False,
        severity=(1,),
        pages=True,
        why="An expired key is by far the likeliest reason, but the same picture would come from "
        "a broken login service at the vendor whose page has not caught up. Without another key "
        "nobody can prove which; it is total either way.",
    ),
    _fault(
        "auth_refuses_two_accounts",
        planted="Both our key and the key of an unrelated account get 401 {'error': 'Invalid "
        "token'} on every path; both worked before. Status page green.",
        says="vendor_auth_down",
        confirm=True,
        severity=(1,),
        pages=True,
        why="Two keys of unrelated accounts do not run out in the same minute. The refusal is the "
        "one for a wrong token and not for a missing one, so the header arrives and the vendor "
        "judges it wrongly. A new key would not help.",
    ),
    _fault(
        "key_stripped_by_gateway",
        planted="Our gateway drops the Authorization header: through it every key gets 401 "
        "text/html 'Invalid authentication token'. Asked directly, the same key gets data.",
        says="key_missing gateway_fault",
        confirm=True,
        severity=(1,),
        pages=True,
        why="The HTML refusal is the vendor's answer to a request without any key, and the very "
        "same key is accepted on the direct way. So the key is lost inside our own gateway.",
    ),
    _fault(
        "scope_lost_assets",
        planted="Our key gets 403 {'errors': [{'error': \"User don't have the right "
        'permissions"}]} on /assets and on single assets only; all other lists answer, and the '
        "second account reads its assets.",
        says="key_lacks_scope",
        confirm=True,
        severity=(2,),
        pages=True,
        why="The key is good elsewhere and the endpoint is good for others; the vendor says that "
        "the user has no right. Assets are critical, so it is a partial failure that someone "
        "must mend with an administrator.",
    ),
    _fault(
        "plan_payment_required",
        planted="Our key gets 402 {'error': 'Your subscription does not include API access'} on "
        "every path; the second account gets data.",
        says="access_denied",
        confirm=True,
        severity=(1,),
        pages=True,
        why="The vendor knows the key and refuses the account: the plan has lapsed or was "
        "changed. Another account is served, so it is not the platform, and a fresh key of the "
        "same account would be refused as well.",
    ),
    _fault(
        "edge_blocks_our_address",
        planted="An edge answers 403 with an HTML page 'Error 1020 Access denied' (cf-ray header) "
        "to every request, with any key or none. Status page green, control site fine.",
        says="access_denied answered_by_another",
        confirm=False,
        severity=(1,),
        pages=True,
        why="A firewall rule at the edge shuts out our address before any key is looked at. From "
        "our single address it cannot be shown that others are let through, so it stays a "
        "strong suspicion.",
    ),
    _fault(
        "organisation_header_required",
        planted="Every request with our key is answered 400 {'errors': [{'error': 'Missing "
        "x-organization-id header.'}]} unless the header is sent; the second account is served "
        "without it.",
        says="api_contract_changed",
        other="the token now covers several organisations and each request must name one",
        confirm=True,
        severity=(1,),
        pages=True,
        why="The vendor's message names what is missing, and a request that carries the header "
        "is served. The requests of ours that were good yesterday are not today; the key itself "
        "is accepted.",
    ),
    # --- outages and server errors --------------------------------------------------------
    _fault(
        "outage_503_page_red",
        planted="503 {'error': 'Service Unavailable'} on every path for every key; the status "
        "page has the REST API in downtime with an open report.",
        says="vendor_outage",
        confirm=True,
        severity=(1,),
        pages=True,
        why="Everything fails for everybody, the vendor's own page admits it, and the control "
        "site answers. There is nothing to mend here; buffer and wait.",
    ),
    _fault(
        "outage_500_page_green",
        planted="500 {'error': 'Internal Server Error'} on every path for every key; the status "
        "page says that all is operational.",
        says="vendor_outage",
        confirm=True,
        severity=(1,),
        pages=True,
        why="Status pages are updated by people and lag behind. Two unrelated accounts get the "
        "vendor's own error on every path while the control site is reached, and that weighs "
        "more than a green light.",
    ),
    _fault(
        "cdn_522_origin_silent",
        planted="A CDN answers 522 with an HTML page 'Connection timed out' on every path for "
        "every key. Status page (Statuspage v2): REST API partial outage, incident under "
        "investigation.",
        says="vendor_outage",
        confirm=True,
        severity=(1,),
        pages=True,
        why="We reach the vendor's edge, and the edge says that it cannot reach the vendor's own "
        "machines. The broken stretch lies behind the edge and so on the vendor's side.",
    ),
    _fault(
        "workorders_500_rest_fine",
        planted="/workorders (list and single) answers 500 {'error': 'Internal Server Error'} "
        "for every key; assets, locations, parts and users answer well. Status page green.",
        says="intermittent_errors",
        confirm=True,
        severity=(2,),
        pages=True,
        why="The platform and our key are good on four of five lists; one critical endpoint "
        "fails on the server's side for two accounts alike. A part of the vendor is broken, not "
        "the whole.",
    ),
    _fault(
        "outage_starts_midlook",
        planted="The first nine requests are answered well, each later one is 503 for every key. "
        "Status page still green.",
        says="vendor_outage intermittent_errors",
        confirm=True,
        severity=(1, 2),
        pages=True,
        why="The early good answers are history by the end of the look: from a certain request "
        "on nothing succeeds for either account. One who asks again sees an outage; one who only "
        "counts sees a part of the answers fail. Both must wake somebody.",
    ),
    _fault(
        "one_unlucky_502",
        planted="Exactly the third request is answered 502; all before and after are good. "
        "Everything else is green.",
        says="none occasional_failures",
        confirm=False,
        severity=(0, 4),
        pages=False,
        why="One bad gateway among good answers is what a deploy or a dying worker looks like. "
        "Retries cover it, and nobody should be woken for a single request.",
    ),
    _fault(
        "half_of_requests_500",
        planted="Half of all requests, scattered, are answered 500, on every path and for every "
        "key. Status page: REST API degraded.",
        says="intermittent_errors",
        confirm=True,
        severity=(1, 2),
        pages=True,
        why="The same request succeeds and fails in turn for two accounts, so one of several "
        "machines at the vendor is sick. Critical lists are hit too; it is no total outage.",
    ),
    _fault(
        "only_our_account_500",
        planted="Our key gets 500 {'error': 'Internal Server Error'} on every path; the second "
        "account gets data. Status page green.",
        says="inconclusive vendor_outage intermittent_errors",
        confirm=False,
        severity=(1,),
        pages=True,
        why="For us all is down, for another account nothing is. It may be a failed shard, a "
        "corrupt account, or the vendor crashing on something in our token; from outside it "
        "cannot be told which, only that the error is raised at the vendor.",
    ),
    # --- rate limits ------------------------------------------------------------------------
    _fault(
        "rate_limit_vendor_words",
        planted="Our key gets 429 {'error': 'Too many requests. Please retry in 37 seconds'} with "
        "X-Rate-Limit-Remaining 0 on every path; the second account gets data. Our metrics show "
        "a flood of our own requests.",
        says="rate_limit_exceeded",
        confirm=True,
        severity=(2,),
        pages=True,
        why="The vendor says so in its documented words and headers, another account is served, "
        "and our own counter shows that we did send that much.",
    ),
    _fault(
        "rate_limit_ietf_fields",
        planted="Our key gets 429 application/problem+json with RateLimit-Policy, RateLimit and "
        "Retry-After fields of the IETF draft; no X-Rate-Limit headers. The second account gets "
        "data.",
        says="rate_limit_exceeded",
        confirm=True,
        severity=(2,),
        pages=True,
        why="Another dialect for the same thing: code 429, a policy, nothing left and a time to "
        "wait. The other account is served, so it is our budget that is spent.",
    ),
    _fault(
        "rate_limit_as_403",
        planted="Our key gets 403 {'message': 'You have exceeded a secondary rate limit. Please "
        "wait a few minutes before you try again.'} with Retry-After as an HTTP date on every "
        "path; the second account gets data.",
        says="rate_limit_exceeded",
        confirm=True,
        severity=(2,),
        pages=True,
        why="The code says forbidden, but the text and the Retry-After field say too fast. "
        "Rights do not come back at a stated time; budgets do. Making a new key would be the "
        "wrong repair.",
    ),
    _fault(
        "budget_drained_by_other",
        planted="With our key X-Rate-Limit-Remaining falls by 13 for each single request and from "
        "the fourth request on the answer is 429; our metrics show about four requests a minute "
        "of our own. The second account is served.",
        says="rate_limit_shared rate_limit_exceeded",
        confirm=True,
        severity=(2,),
        pages=True,
        why="The budget shrinks much faster than we ask, and our service's own counter is slow. "
        "Somebody else works with the same key or user. To say 'limit exceeded' is true as well, "
        "but the cure lies with the other consumer.",
    ),
    _fault(
        "budget_nearly_spent",
        planted="All answers are good, but X-Rate-Limit-Remaining stays at 4 to 2 of 100 (a "
        "sliding window). Nothing is refused.",
        says="rate_limit_near",
        confirm=True,
        severity=(0, 3, 4),
        pages=False,
        why="The vendor's own header says that hardly anything is left. Nothing is lost yet, so "
        "it is a warning for office hours and for slowing down.",
    ),
    _fault(
        "first_request_429_only",
        planted="Only the first request is answered 429 'Please retry in 1 seconds'; all later "
        "ones are good and show a full budget.",
        says="none occasional_failures rate_limit_near",
        confirm=False,
        severity=(0, 4),
        pages=False,
        why="The tail of an earlier burst, gone at once. After the stated second the budget is "
        "full and everything is served; there is nothing to repair.",
    ),
    # --- paths and contract -----------------------------------------------------------------
    _fault(
        "parts_404_moved",
        planted="/parts and single parts answer 404 {'error': 'Not Found.'} for every key; all "
        "other lists answer well.",
        says="api_path_changed",
        confirm=True,
        severity=(4,),
        pages=False,
        why="A list does not vanish for two accounts at once unless the path is gone; keys and "
        "platform are good beside it. Parts are not critical, so the next working day will do.",
    ),
    _fault(
        "workorders_308_to_v2",
        planted="/v1/workorders answers 308 with a Location under /v2/workorders for every key; "
        "the new place answers well. All other lists are unchanged. The service's log has fresh "
        "errors about the redirect.",
        says="api_path_changed",
        confirm=True,
        severity=(2,),
        pages=True,
        why="A permanent redirect is the vendor's plain word that the path has moved. Our service "
        "does not follow it, as its log shows, so the most important list is not read.",
    ),
    _fault(
        "workorders_new_envelope",
        planted="/workorders answers 200 with {'data': [...], 'meta': {'next': ...}} instead of "
        "{'workOrders': [...], 'nextCursor': ...}, for every key. The other lists are unchanged.",
        says="api_contract_changed",
        confirm=True,
        severity=(2,),
        pages=True,
        why="The request succeeds and the records are there, under a name that our code does not "
        "know. A client that counts workOrders reads zero and believes it. The change is the "
        "same for two accounts.",
    ),
    _fault(
        "json_labelled_html",
        planted="All answers are right in body and code, gzip-compressed, with unknown extra "
        "fields, and labelled Content-Type text/html instead of application/json.",
        says="none api_contract_changed",
        confirm=False,
        severity=(0, 4),
        pages=False,
        why="The label is wrong and the data is right; a client that parses the body works on. "
        "Worth a ticket with the vendor and no more.",
    ),
    _fault(
        "error_inside_200",
        planted="Every list answers 200 with {'errors': [{'error': 'Something went wrong on our "
        "end. Reference 7f3a91'}]} for every key. Status page green.",
        says="vendor_outage api_contract_changed inconclusive",
        confirm=False,
        severity=(1,),
        pages=True,
        why="The code says success and the body says failure; there is no data on any list for "
        "two accounts. The vendor is failing in a new manner, but whether it is down or answers "
        "otherwise than before is a matter of words that cannot be settled from here.",
    ),
    # --- somebody else answers --------------------------------------------------------------
    _fault(
        "redirect_to_login",
        planted="Every API path answers 302 to /login, which is a 200 HTML sign-in page, for "
        "every key.",
        says="answered_by_another",
        confirm=True,
        severity=(1,),
        pages=True,
        why="A web sign-in stands where the API was: some front put the host behind its session "
        "login. A client that follows redirects gets 200 and no data. It is not our key: an API "
        "refuses keys with 401 in JSON.",
    ),
    _fault(
        "captive_portal",
        planted="The vendor's address, the status page and the control site all answer the same "
        "200 HTML page 'Welcome to Guest Wi-Fi. Please accept the terms'.",
        says="answered_by_another network_issue",
        confirm=True,
        severity=(1,),
        pages=True,
        why="Three unrelated sites cannot send the same page by themselves. Our way out is caught "
        "by a portal, and the vendor has not been reached at all.",
    ),
    # --- network ----------------------------------------------------------------------------
    _fault(
        "name_does_not_resolve",
        planted="The base address is a name that does not resolve; the control site and the "
        "green status page are reached.",
        says="dns_failure",
        confirm=True,
        severity=(1,),
        pages=True,
        why="The lookup fails before any connection is made while other sites are reached. "
        "Whether the record or our resolver is to blame, it is the name.",
    ),
    _fault(
        "port_closed",
        planted="Connections to the vendor are refused at once; the control site and the green "
        "status page are reached.",
        says="vendor_outage network_issue inconclusive",
        confirm=False,
        severity=(1,),
        pages=True,
        why="Something at that address says no: the vendor's front is down, or a firewall on the "
        "way refuses for it. Our network works in general. From one place outside the two "
        "cannot be told apart.",
    ),
    _fault(
        "nothing_reachable",
        planted="Vendor, status page and control site all refuse connections. Our own health "
        "page answers and says that its own parts are well.",
        says="network_issue",
        confirm=True,
        severity=(1,),
        pages=True,
        why="Unrelated sites do not fall together. What they share is our way out.",
    ),
    _fault(
        "tls_self_signed",
        planted="The vendor's https address shows a self-signed certificate for another name. "
        "Control site and status page are fine.",
        says="tls_failure",
        confirm=True,
        severity=(1,),
        pages=True,
        why="What answers there cannot prove to be the vendor, so no key may be sent to it. It "
        "may be an inspecting proxy or a broken renewal; the fact of the bad certificate is "
        "beyond doubt.",
    ),
    _fault(
        "accepts_and_hangs",
        planted="The vendor's port takes connections and never answers. The control site is "
        "quick, the status page green.",
        says="vendor_hangs network_issue",
        confirm=True,
        severity=(1,),
        pages=True,
        why="The connection stands at once and then nothing comes, for every path and key, while "
        "another site answers in milliseconds. The vendor's workers are stuck, or a box on the "
        "way swallows the answers; that it hangs is plain.",
    ),
    _fault(
        "vendor_four_seconds",
        planted="Every answer of the vendor is right and comes after four seconds. Control site, "
        "status page and our service are quick.",
        says="slow_vendor",
        confirm=True,
        severity=(3,),
        pages=False,
        why="The data is right and merely late, for both accounts, and only from the vendor. "
        "Slowness is a matter for the working day.",
    ),
    _fault(
        "everything_slow",
        planted="Vendor, control site and status page all answer rightly after four seconds. Our "
        "own health page on the same machine is quick.",
        says="slow_network network_issue",
        confirm=True,
        severity=(3,),
        pages=False,
        why="All sites outside are slow by the same amount and nothing inside is. The shared way "
        "out is slow, not the vendor.",
    ),
    _fault(
        "bodies_cut_short",
        planted="Every answer of the vendor has code 200 and a Content-Length, but the connection "
        "closes after half of the body. The control site is whole.",
        says="network_issue vendor_outage inconclusive",
        confirm=False,
        severity=(1,),
        pages=True,
        why="A middlebox that drops long answers and a dying server at the vendor look alike from "
        "here. No list can be read, so it is total; whose fault it is needs a look from another "
        "network.",
    ),
    # --- status pages and maintenance -------------------------------------------------------
    _fault(
        "maintenance_running",
        planted="503 {'error': 'Scheduled maintenance in progress'} with Retry-After on every "
        "path; the status page has a maintenance report for the REST API that began 20 minutes "
        "ago and ends in 40.",
        says="vendor_maintenance",
        confirm=True,
        severity=(1, 2),
        pages=True,
        why="The vendor announced it, the window is open now, it names our component, and the "
        "API says the same. Nothing is to be mended, yet no work orders flow meanwhile and those "
        "on duty must know.",
    ),
    _fault(
        "maintenance_never_closed",
        planted="The status page still shows a maintenance of the REST API that began 40 days "
        "ago and was never closed. The API and everything else is well.",
        says="none",
        confirm=False,
        severity=(0,),
        pages=False,
        why="Somebody at the vendor forgot to close the entry. Every list answers for both keys, "
        "and what the API does counts for more than an old note.",
    ),
    _fault(
        "red_graphql_key_dead",
        planted="The status page has 'GraphQL API' and 'Website' in downtime with an open report, "
        "the REST API operational. Our key gets 401 'Invalid token' everywhere; the second "
        "account gets data.",
        says="api_key_expired",
        confirm=True,
        severity=(1,),
        pages=True,
        why="The red lights belong to components that we do not use, and the REST API serves "
        "another account. Waiting for the vendor would be waiting for nothing: our key is dead.",
    ),
    _fault(
        "page_red_api_fine",
        planted="The status page has the REST API in downtime with an open report of six hours "
        "ago. All lists answer quickly and rightly for both keys.",
        says="none",
        confirm=False,
        severity=(0,),
        pages=False,
        why="The page lags behind the recovery, or the trouble is in a region that is not ours. "
        "Our traffic works; that is what we are responsible for.",
    ),
    # --- our own service --------------------------------------------------------------------
    _fault(
        "service_not_running",
        planted="The health and metrics pages of our service refuse connections; its log stops "
        "15 minutes ago in the middle of work. The vendor is well.",
        says="service_crash",
        confirm=True,
        severity=(1,),
        pages=True,
        why="Nothing listens on our own port and the log breaks off. The vendor serves the same "
        "key, so the fault is ours alone and nothing is processed.",
    ),
    _fault(
        "health_200_but_sick",
        planted="Our health page answers 200 with {'status': 'unhealthy'} and a job queue check "
        "that has failed; its vendor check is good. The vendor is well.",
        says="service_unhealthy",
        confirm=True,
        severity=(2,),
        pages=True,
        why="The code only says that the page was rendered; the words say that the queue is "
        "broken. The service's own check of the vendor and ours agree that the vendor is fine.",
    ),
    _fault(
        "health_odd_words_fine",
        planted="Our health page answers 200 with {'state': 'serving', 'overall': 'nominal', "
        "'components': [{'name': 'database', 'condition': 'green'}, ...]}. All is well.",
        says="none",
        confirm=False,
        severity=(0,),
        pages=False,
        why="Unusual words, all of them good ones, with code 200. Nothing in the world is wrong.",
    ),
    _fault(
        "health_four_seconds",
        planted="Our health page answers healthy after four seconds, the metrics page too. The "
        "vendor is quick and well.",
        says="slow_service",
        confirm=True,
        severity=(3,),
        pages=False,
        why="Vendor and control site are quick, only our own service takes seconds for a trivial "
        "page. It works, with a delay.",
    ),
    _fault(
        "old_errors_in_log",
        planted="The log of our service holds many 401 and 503 errors of three days ago and only "
        "good runs since; the error counters of the metrics are high and do not move. All is "
        "well now.",
        says="none",
        confirm=False,
        severity=(0,),
        pages=False,
        why="The errors are old and were followed by days of good runs; counters never go down, "
        "only their growth matters. Nothing is wrong today.",
    ),
    _fault(
        "service_crash_loop",
        planted="The health page is good at this moment, but the log shows six starts within "
        "20 minutes, each ended by an out-of-memory kill, and the metrics say that the process "
        "is 40 seconds old. The vendor is well.",
        says="service_crash service_unhealthy",
        confirm=True,
        severity=(1, 2),
        pages=True,
        why="A fresh process is always healthy for a minute. Log and start time agree that it "
        "dies again and again, so no long run ever ends.",
    ),
    _fault(
        "sync_stalled_silently",
        planted="Health page good, no errors in the log, but its last finished sync is nine "
        "hours old, as the metrics say too. The vendor is well and has much newer records.",
        says="sync_stalled service_unhealthy",
        confirm=True,
        severity=(1, 2),
        pages=True,
        why="The vendor has records of the last minutes, our service has not finished a run "
        "since the morning and does not complain. Its scheduler or a lock hangs; no work orders "
        "are processed.",
    ),
    _fault(
        "dead_key_and_dead_service",
        planted="Our key gets 401 'Invalid token' everywhere while the second account gets data, "
        "and our health and metrics pages refuse connections.",
        says="api_key_expired service_crash",
        confirm=True,
        severity=(1,),
        pages=True,
        why="Two faults, each proven by its own contrast. A good report names both; to mend only "
        "one would not bring anything back.",
    ),
    # --- data and clocks --------------------------------------------------------------------
    _fault(
        "all_lists_empty",
        planted="With our key every list, even /users and /organizations, is 200 with no rows; "
        "the second account sees its records. Status page green.",
        says="source_gone_quiet key_lacks_scope inconclusive",
        confirm=False,
        severity=(1, 2),
        pages=True,
        why="An account whose own key belongs to a user cannot have no users. The data is hidden "
        "from us: the user was moved, lost its rights, or the vendor's index is empty. A success "
        "code with nothing in it must not pass for health.",
    ),
    _fault(
        "day_old_cache_answers",
        planted="Every list comes out of a shared cache: Age over 93000 seconds, X-Cache HIT, an "
        "old Date, records not newer than a day, and the same rows for any key and even without "
        "one. Single records by id are fresh. Status page green.",
        says="source_gone_quiet answered_by_another",
        other="a cache on the way answers with stale data",
        confirm=False,
        severity=(1, 2),
        pages=True,
        why="The codes are all good and the content stands still since yesterday, so no new work "
        "order arrives. The Age field and the answer without a key show that a cache speaks and "
        "not the vendor.",
    ),
    _fault(
        "vendor_clock_two_hours_ahead",
        planted="The vendor's Date header and newest updatedAt are two hours ahead; the control "
        "site and the status page agree with our clock. All answers are otherwise good.",
        says="clock_wrong none",
        confirm=True,
        severity=(0, 3, 4),
        pages=False,
        why="Two other sites agree with us, so it is the vendor's clock. Data flows, but a "
        "watermark taken from its times would lie in the future; worth a note and no more.",
    ),
    # --- our gateway ------------------------------------------------------------------------
    _fault(
        "gateway_502_vendor_fine",
        planted="Our gateway answers 502 'no healthy upstream' to everything; asked directly the "
        "vendor answers both keys well.",
        says="gateway_fault",
        confirm=True,
        severity=(1,),
        pages=True,
        why="The same request with the same key is served on the direct way. It is our own box "
        "that fails, however much its 502 looks like a vendor outage.",
    ),
    _fault(
        "gateway_504_no_other_way",
        planted="Our gateway answers 504 'upstream request timeout' to everything, after two "
        "seconds; there is no direct way to the vendor. Status page green, control site fine.",
        says="inconclusive gateway_fault vendor_hangs",
        confirm=False,
        severity=(1,),
        pages=True,
        why="The gateway says that the vendor does not answer, and the vendor's page says that it "
        "does. With only the one way through the gateway nobody can see which of the two is "
        "wrong.",
    ),
    # --- what cannot be told ----------------------------------------------------------------
    _fault(
        "every_answer_different",
        planted="The answers go round: 401, 404, 429, 500, 403 and a 200 HTML page, whatever the "
        "path and the key.",
        says="inconclusive",
        confirm=False,
        severity=(1,),
        pages=True,
        why="No single cause explains all six; each taken by itself would mislead. Nothing is "
        "served, so somebody must come, and the honest report says that the picture is "
        "contradictory.",
    ),
    _fault(
        "empty_200",
        planted="Every path answers 200 with no body and no Content-Type, for every key. Status "
        "page green.",
        says="inconclusive api_contract_changed answered_by_another",
        confirm=False,
        severity=(1,),
        pages=True,
        why="Nothing in the answer tells who sent it: a half-configured proxy, a stub, or the "
        "vendor. No data comes; more cannot be said from here.",
    ),
    _fault(
        "bare_503_control_dead",
        planted="The vendor's address answers a bare 503 without body or Server header; the "
        "control site refuses connections and the status page never answers.",
        says="inconclusive network_issue",
        confirm=False,
        severity=(1,),
        pages=True,
        why="The sites that would serve for comparison are gone too, which points at our way "
        "out, but something does answer for the vendor. An unsigned 503 may come from the vendor "
        "or from a dying proxy of ours.",
    ),
    _fault(
        "gzip_label_on_plain_body",
        planted="Every answer says Content-Encoding gzip while the body is plain JSON, for every "
        "key, so that usual clients fail to decode it. Status page green.",
        says="inconclusive network_issue api_contract_changed",
        confirm=False,
        severity=(1,),
        pages=True,
        why="A proxy that unpacks the body and leaves the label, or a faulty release of the "
        "vendor: the bytes are the same. All reading fails for usual clients, hence it is total.",
    ),
    _fault(
        "only_control_site_down",
        planted="The control site refuses connections. Vendor, status page and our service are "
        "all well.",
        says="none",
        confirm=False,
        severity=(0,),
        pages=False,
        why="The site for comparison has a bad day; it carries no business of ours. The vendor "
        "answers every list, so there is nothing to raise.",
    ),
)
"""All faults, in the order of their kinds."""


def by_id(fault_id: str) -> Fault:
    """Return the fault of this id; raise ``KeyError`` where there is none."""
    for fault in FAULTS:
        if fault.id == fault_id:
            return fault
    raise KeyError(fault_id)


def as_json(fault: Fault) -> dict[str, object]:
    """Return the fault as plain values that JSON can hold, in a steady order."""
    return {
        "id": fault.id,
        "planted": fault.planted,
        "engineer_says": sorted(fault.engineer_says),
        "may_confirm": fault.may_confirm,
        "severity": sorted(fault.severity),
        "pages_somebody": fault.pages_somebody,
        "why": fault.why,
    }
