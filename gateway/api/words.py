"""The words of the live page, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from config.plant.model import Text
from gateway.messages import CONDITION_NAMES, REASON_NAMES, STATE_NAMES, TIER_NAMES, Lang, in_words

__all__ = ["pick_language", "words"]

_WORDS: Mapping[str, Text] = {
    "title": Text("重大危险源监测", "Major hazard monitoring"),
    "disclaimer": Text(
        "本网关仅用于监测，不具备安全功能，不执行任何联锁或停车，不声明 SIL 等级。",
        "This gateway monitors; it is no safety function, trips nothing and claims no SIL.",
    ),
    "active_alarms": Text("当前报警", "Active alarms"),
    "no_active": Text("当前无报警", "No active alarms"),
    "more_alarms": Text("另有 {n} 条报警未显示（已按级别排序）", "{n} more alarms not shown (worst tier first)"),
    "cleared_alarms": Text("最近恢复", "Lately cleared"),
    "no_cleared": Text("暂无已恢复的报警", "None cleared yet"),
    "tier": Text("级别", "Tier"),
    "tag": Text("位号", "Tag"),
    "description": Text("描述", "Description"),
    "condition": Text("类型", "Condition"),
    "trigger": Text("触发值 / 限值", "Value / limit"),
    "present": Text("现值", "Now"),
    "since": Text("起始", "Onset"),
    "cleared_at": Text("恢复", "Cleared"),
    "age": Text("持续", "Age"),
    "delayed": Text("迟报", "delayed"),
    "latched": Text("锁存", "latched"),
    "returned": Text("已恢复", "returned"),
    "acknowledged": Text("已确认", "acknowledged"),
    "edges": Text("边缘节点", "Edges"),
    "edge": Text("节点", "Edge"),
    "state": Text("状态", "State"),
    "outbox": Text("待发", "Outbox"),
    "backlog": Text("积压", "backlog"),
    "frames": Text("帧", "frames"),
    "lost": Text("缺失帧", "Missing"),
    "shed": Text("丢弃样本", "Shed"),
    "stale_tags": Text("中断位号", "Stale"),
    "online": Text("在线", "online"),
    "offline": Text("离线", "OFFLINE"),
    "never_spoke": Text("未上报状态", "no status"),
    "best_effort": Text("直连（尽力而为）", "direct (best effort)"),
    "unknown_edge": Text("未在厂区配置中", "not in the plant description"),
    "gateway": Text("网关", "Gateway"),
    "samples_per_s": Text("样本/秒", "samples/s"),
    "delay": Text("延迟 p50 / p99", "delay p50 / p99"),
    "history_lag": Text("历史滞后", "history lag"),
    "rows": Text("行", "rows"),
    "broker": Text("消息代理", "broker"),
    "records": Text("记录库", "records"),
    "history": Text("历史库", "history"),
    "pipeline": Text("处理管线", "pipeline"),
    "ok": Text("正常", "ok"),
    "down": Text("异常", "DOWN"),
    "tags": Text("位号", "Tags"),
    "value": Text("数值", "Value"),
    "trend": Text("趋势 5 分钟", "Trend 5 min"),
    "quality": Text("质量", "Quality"),
    "good": Text("正常", "good"),
    "uncertain": Text("可疑", "uncertain"),
    "bad": Text("坏值", "BAD"),
    "stale": Text("中断", "STALE"),
    "none": Text("无数据", "no data"),
    "vehicles": Text("危险品运输车辆", "Hazmat vehicles"),
    "other_tags": Text("其他", "Other"),
    "connecting": Text("正在连接", "connecting"),
    "live": Text("实时", "live"),
    "stalled": Text("数据停滞", "STALLED"),
    "static": Text("静态页面，每 5 秒刷新", "static page, refreshed every 5 s"),
    "banner_stalled": Text(
        "实时数据已中断 {n} 秒：画面上的数值和报警不可信",
        "No live data for {n} s: values and alarms on this screen cannot be trusted",
    ),
    "banner_pipeline": Text("数据处理已停止：不再产生新报警", "Processing stands still: no new alarms are raised"),
    "banner_replayed": Text(
        "网关正在恢复状态，报警尚不完整", "The gateway is restoring its state; alarms are incomplete"
    ),
    "banner_records": Text("记录库异常：新数据未被保存", "The records database fails: new data is not kept"),
    "banner_unreadable": Text("报警记录暂时无法读取", "Alarm records cannot be read at the moment"),
    "banner_broker": Text("与消息代理断开：收不到新数据", "The broker is disconnected: no new data arrives"),
    "banner_history": Text("历史库异常：趋势可能不完整", "The history store fails: trends may be incomplete"),
    "new_alarm": Text("新报警", "New alarm"),
    "other_language": Text("English", "中文"),
    "sign_in": Text("登录", "Sign in"),
    "sign_in_elsewhere": Text("统一认证登录", "Sign in at your organisation"),
    "sign_out": Text("退出登录", "Sign out"),
    "account": Text("账号", "Account"),
    "password": Text("密码", "Password"),
    "new_password": Text("新密码（至少 12 位）", "New password (12 characters or more)"),
    "code": Text("动态码（已启用双因素时）", "Code (with a second factor)"),
    "change_password": Text("修改密码", "Change password"),
    "must_change": Text("首次登录，请先修改一次性密码", "First time here: choose a password of your own"),
    "needs_factor": Text("您的角色须先启用双因素认证", "Your role needs a second factor first"),
    "begin_factor": Text("启用双因素认证", "Begin a second factor"),
    "scan_factor": Text("将此密钥添加到验证器：", "Put this key into an authenticator:"),
    "confirm_factor": Text("确认验证码", "Confirm the code"),
    "changed": Text("密码已修改，请用新密码登录", "Changed. Sign in with the new password"),
    "live_page": Text("实时监测页面", "Live page"),
    "needs_script": Text("登录需要启用 JavaScript", "Signing in needs JavaScript"),
    "as_of": Text("截至", "as of"),
    "link_until": Text("链接有效至", "the link ends"),
    "hazard_unit": Text("危险源单元", "Hazard unit"),
    "vessel": Text("设备", "Vessel"),
    "substance": Text("物质", "Substance"),
    "around": Text("周边测点", "Measured around it"),
    "timeline": Text("处置经过", "What has happened"),
    "loading": Text("正在读取", "loading"),
    "sheet": Text("报警信息单：内容物、处置、责任人、周边", "Incident sheet: contents, what to do, who, neighbours"),
}

_LANGUAGES: Mapping[str | None, Lang] = {"zh": "zh", "en": "en"}


def words(lang: Lang) -> dict[str, str]:
    """Return every word the page and its script use, by key."""
    own = {key: in_words(text, lang) for key, text in _WORDS.items()}
    tiers = {f"tier_{tier.value}": in_words(text, lang) for tier, text in TIER_NAMES.items()}
    conditions = {f"condition_{one.value}": in_words(text, lang) for one, text in CONDITION_NAMES.items()}
    reasons = {f"reason_{one.name.lower()}": in_words(text, lang) for one, text in REASON_NAMES.items()}
    states = {f"state_{key}": in_words(text, lang) for key, text in STATE_NAMES.items()}
    return {**own, **tiers, **conditions, **reasons, **states}


def pick_language(asked: str | None, accepted: str) -> Lang:
    """Return the language to show: the one asked for, else the first acceptable one, else Chinese.

    Args:
        asked: ``zh`` or ``en``; anything else counts as not asked.
        accepted: The Accept-Language header.
    """
    firsts = (part.split(";")[0].strip().split("-")[0] for part in accepted.lower().split(","))
    return next((_LANGUAGES[one] for one in (asked, *firsts) if one in _LANGUAGES), "zh")
