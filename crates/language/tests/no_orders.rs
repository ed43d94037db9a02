//! Sentences that are built like an order and are none: each is asked back or read as a question, and never acts by itself. And what stands
//! near them and is an order or a report: nobody is asked.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use apportion_language::reading::Reader;
use jiff::Zoned;

/// The sentences of a table that act without asking.
fn acting(table: &'static str) -> Vec<&'static str> {
    let now: Zoned = "2026-11-23T09:00:00+08:00[Asia/Shanghai]".parse().unwrap();
    let reader = Reader::embedded().unwrap();
    let lines = table.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.filter(|line| reader.interpret(line, &now, &[]).instruction(line).is_some()).collect()
}

#[test]
fn english_sentences_that_are_no_orders() {
    assert_eq!(acting(ENGLISH), [""; 0]);
}

#[test]
fn chinese_sentences_that_are_no_orders() {
    assert_eq!(acting(CHINESE), [""; 0]);
}

#[test]
fn orders_and_reports_near_them_are_not_asked_about() {
    let lines: Vec<&str> = PLAIN.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(acting(PLAIN), lines);
}

/// Deliberation, hearsay, what is past, conditions, suppositions, irony, quotations, orders to somebody else and about something else.
const ENGLISH: &str = r#"
    should we give web two more cores?
    should we give web two more cores
    do we need to give web 2 more cores?
    do we need to limit web to 2 cores
    would it help to give web 2 more cores?
    would it help to limit crawler to 1 core
    does it make sense to freeze web tonight?
    does it make sense to cap crawler at 1 core
    is it worth giving web 2 more cores
    is it time to limit crawler to 1 core
    is it a good idea to freeze web until Friday
    what about giving web 2 more cores?
    how about we limit crawler to 1 core at some point?
    ought we to cap web at 2 cores
    shouldn't we limit crawler to 1 core?
    shouldn't web have at least 2 cores?
    I wonder whether we should give web 2 more cores
    wondering if we should limit web to 2 cores
    not sure whether to give web 2 more cores
    I am thinking of capping web at 2 cores
    we are considering limiting crawler to 1 core
    we are debating whether to freeze web until Friday
    let's discuss limiting web to 2 cores
    let's think about giving web 2 more cores
    let me think about whether to cap web at 2 cores
    to cap or not to cap web at 2 cores
    maybe we should limit crawler to 1 core
    perhaps limit web to 2 cores
    perhaps web should get 2 more cores
    maybe give web 2 more cores
    we might want to cap web at 2 cores
    we may need to give web 2 more cores
    we could limit crawler to 1 core
    one option is to limit crawler to 1 core
    an idea: limit crawler to 1 core
    the question is whether web needs 2 more cores
    can anybody tell whether web needs 2 more cores
    do you think web needs 2 more cores
    any objection to freezing web tonight?
    any reason not to cap crawler at 1 core?
    what do you think about limiting web to 2 cores
    thoughts on capping web at 2 cores?
    opinions on giving web 2 more cores
    pros and cons of limiting web to 2 cores
    am I supposed to give web 2 more cores
    is it necessary to reserve 2 cores for web
    need we freeze web tonight?
    must we cap crawler at 1 core?
    who decides whether web gets 2 more cores
    let's see if web needs 2 more cores
    we are not decided about giving web 2 more cores
    is undoing the last change a good idea
    should I undo the last change
    do we have to revert the last change?
    should web be top priority?
    should checkout be critical tonight
    do we expect 3x traffic on web tonight
    should we expect 3x traffic on web tonight
    Bob said we should give web 2 more cores
    Bob said to limit crawler to 1 core
    Bob says web needs 2 more cores
    Alice thinks we should limit crawler to 1 core
    Alice suggested freezing web until Friday
    my boss wants web capped at 2 cores
    the vendor recommends at least 2 cores for web
    the vendor claims web needs 2 more cores
    they say web needs 2 more cores
    rumour has it that web gets 3x traffic tonight
    apparently web will see 3x traffic tonight
    I heard that web will see 3x traffic tonight
    I read that web should have at least 2 cores
    according to Bob web needs 2 more cores
    Bob would like web limited to 2 cores
    Bob is of the opinion that crawler should be limited to 1 core
    it is said that checkout is critical
    Bob told Alice to limit crawler to 1 core
    Bob's advice: limit crawler to 1 core
    supposedly web is top priority
    Alice believes web is out of memory
    the ticket says to cap web at 2 cores
    the report states that web needs 2 more cores
    Bob mentioned that web needs 2 more cores
    Bob insists on capping web at 2 cores
    Alice asks to limit web to 2 cores
    the customer complained that web is slow
    yesterday we gave web 2 cores
    we gave web 2 more cores this morning
    last week we limited crawler to 1 core
    I limited crawler to 1 core an hour ago
    I have limited crawler to 1 core
    we have frozen web until Friday
    I had web capped at 2 cores
    we capped web at 2 cores
    web was capped at 2 cores
    web got 2 more cores
    web had 2 more cores then
    I froze web
    I undid the last change
    we have undone the last change
    the last change was reverted
    web had 3x traffic in the night
    we expected 3x traffic on web
    I gave web 2 more cores already
    we had to limit crawler to 1 core
    web has been limited to 2 cores
    I just gave web 2 more cores
    after we limited crawler to 1 core all was fine
    web needed 2 more cores
    if it gets busy give web 2 cores
    if it gets busy, give web 2 more cores
    give web 2 more cores if it gets busy
    limit crawler to 1 core if memory gets tight
    limit crawler to 1 core when the queue is empty
    once the deploy is done limit web to 2 cores
    as soon as web is slow give it 2 more cores
    should web get slow, give it 2 more cores
    in case of a sale give web 2 more cores
    provided that nobody objects limit web to 2 cores
    unless it rains limit web to 2 cores
    freeze web as long as the audit runs
    freeze web when the audit begins
    only if Bob agrees limit crawler to 1 core
    assuming the sale happens web gets 3x traffic tonight
    depending on the load give web 2 more cores
    limit web to 2 cores after Bob signs off
    whenever web is slow give it 2 more cores
    when cpu is over 80% give web 2 more cores
    had web more load, give it 2 more cores
    limit crawler to 1 core in the event of an outage
    if needed cap web at 2 cores
    if possible cap web at 2 cores
    wait until Bob agrees, then limit web to 2 cores
    suppose we limit web to 2 cores
    imagine web had 2 more cores
    what if we limit web to 2 cores
    what would happen if we capped web at 2 cores
    let's say web gets 2 more cores
    say we gave web 2 more cores
    in theory limit web to 2 cores
    web would need 2 more cores
    web would be slow with 2 cores
    if I were you I would limit crawler to 1 core
    I would limit crawler to 1 core
    I'd give web 2 more cores
    it would be nice to have web at 2 cores
    I wish web had 2 more cores
    if only web had 2 more cores
    in a perfect world web gets 2 more cores
    pretend web is capped at 2 cores
    sure, give web 2 more cores, as if that ever helped
    great idea, limit web to 2 cores, what could go wrong
    oh yeah, freeze web, that will fix it
    go ahead, limit web to 2 cores and watch it burn
    right, cap web at 2 cores, genius
    brilliant, let's freeze everything, lol
    yeah right, web is critical
    haha give crawler 100 cores
    why don't we just give web all the cores, lol
    give web 2 more cores, just kidding
    freeze everything :-P
    "limit web to 2 cores"
    “freeze web until Friday”
    he wrote "limit web to 2 cores"
    the button says "freeze web"
    the command "limit web to 2 cores" did not work
    she typed 'give web 2 more cores'
    what does "limit web to 2 cores" do
    subject: limit web to 2 cores
    Bob: limit web to 2 cores
    > limit web to 2 cores
    the chat reads: freeze web until Friday
    a note on the desk: cap web at 2 cores
    Bob, please limit web to 2 cores
    Alice, give web 2 more cores
    @bob limit crawler to 1 core
    dear team, please limit web to 2 cores in the console
    tell Bob to limit web to 2 cores
    ask Alice to give web 2 more cores
    can Bob limit crawler to 1 core
    Bob should limit crawler to 1 core
    the platform team should give web 2 more cores
    somebody should limit crawler to 1 core
    could the platform team cap web at 2 cores
    have Bob freeze web until Friday
    someone please give web 2 more cores in AWS
    hey Bob, freeze web until Friday
    remind Bob to undo the last change
    let Bob limit crawler to 1 core
    I will limit crawler to 1 core
    I'll give web 2 more cores
    I am going to cap web at 2 cores
    we will limit crawler to 1 core ourselves
    we are going to freeze web until Friday
    leave it to me, I cap web at 2 cores
    in Kubernetes limit web to 2 cores
    set the k8s limit of web to 2 cores
    on AWS give web 2 more cores
    limit web to 2 cores in the staging cluster
    on my laptop limit docker to 2 cores
    give the VM web 2 more cores in vSphere
    set web's memory limit to 2 GB in docker-compose.yml
    put cpus: 2 for web into the compose file
    edit the systemd unit so web gets at most 2 cores
    in Terraform set web to 2 cores
    reserve 2 cores for web in the other datacenter
    limit the web license to 2 cores
    in the HPA set web to at least 2 replicas
    freeze the git branch web until Friday
    freeze the web repository until Friday
    change the nginx worker count of web to 2
    set the JVM heap of web to 2 GB
    give the database pool of web 20 connections
    revert the last commit
    roll back the last deploy of web
    roll back web to version 2
    undo the last migration
    pause the web pipeline until Friday
    prioritise the ticket about web
"#;

/// Deliberation, hearsay, what is past, conditions, suppositions, irony, quotations, orders to somebody else and about something else.
const CHINESE: &str = r#"
    要不要给 web 加2核
    要不要给 web 加2核？
    要不要把 web 限制到2核
    该不该给 web 加2核
    该不该把 crawler 限制到1核
    应不应该给 web 加2核
    是不该给 web 加2核
    是不是该给 web 加2核
    是不是应该把 web 限制到2核
    需不需要给 web 加2核
    需不需要冻结 web
    用不用给 web 加2核
    用得着给 web 加2核吗
    有必要给 web 加2核吗
    有没有必要把 web 限制到2核
    值不值得给 web 加2核
    值得给 web 多留2核吗
    我们是否需要给 web 加2核
    是否把 web 限制到2核
    是否应当冻结 web 到周五
    给不给 web 加2核
    加不加2核给 web
    限不限 web 到2核
    冻不冻结 web
    要不给 web 加2核
    要不然给 web 加2核
    要么给 web 加2核
    不如给 web 加2核
    或者给 web 加2核
    也许该给 web 加2核
    可能要给 web 加2核
    可能需要把 web 限制到2核
    大概得给 web 加2核
    考虑给 web 加2核
    考虑一下把 web 限制到2核
    在考虑要给 web 加2核
    正在讨论把 web 限制到2核
    我们商量一下给 web 加2核的事
    想想要给 web 加几核，2核？
    我在想给 web 加2核
    琢磨着把 web 限制到2核
    打算把 web 限制到2核
    准备给 web 加2核
    计划下周给 web 加2核
    不知道该给 web 加2核还是4核
    不确定给 web 加2核有没有用
    给 web 加2核有用吗
    给 web 加2核会好点吗
    给 web 加2核行不行
    给 web 加2核好不好
    给 web 加2核怎么样
    给 web 加2核如何
    把 web 限制到2核合适吗
    把 web 限制到2核妥不妥
    大家觉得给 web 加2核怎么样
    你觉得要给 web 加2核吗
    谁来决定给 web 加2核
    难道要把 web 限制到2核
    何必把 web 限制到2核
    撤销上一条好不好
    要不要撤销上一条
    该不该解除 web 的冻结
    要不要把 checkout 设为最高优先级
    今晚 web 会不会有3倍流量
    web 是不是内存不足
    要不要让 web 至少有4核
    需要给 web 加2核吗
    Bob 说我们应该给 web 加2核
    老王说给 web 加2核
    老王说 web 要加2核
    小李建议把 web 限制到2核
    领导要求把 web 限制到2核
    老板想让 web 最多2核
    听说今晚 web 有3倍流量
    有人说 web 很卡
    有人提出冻结 web 到周五
    厂商推荐 web 至少4核
    厂商称 web 需要加2核
    群里有人喊给 web 加2核
    小张认为 web 该加2核
    王工让我把 web 限制到2核
    工单上写着把 web 限制到2核
    传言今晚 web 流量翻倍
    好像今晚 web 有3倍流量
    运维提到 web 要加2核
    他们讲 checkout 最重要
    老王的意思是把 web 限制到2核
    昨天我们给 web 加了2核
    昨天给 web 加了2核
    早上给 web 加了2核
    刚才给 web 加了2核
    刚给 web 加了2核
    我们已经给 web 加了2核
    已经把 web 限制到2核了
    已把 web 限制到2核
    上周把 web 限制到2核
    把 web 限制到2核了
    给 web 加过2核
    之前给 web 加2核
    以前 web 最多2核
    那时 web 限制在2核
    当时把 web 限制到2核
    冻结了 web
    我冻结过 web
    我撤销了上一条
    上一条已经撤销
    web 曾经是最高优先级
    前天 web 有3倍流量
    昨晚 web 流量翻倍
    我把 crawler 限制到1核之后就好了
    给 web 加了2核以后不卡了
    上次给 web 加2核没用
    如果忙起来就给 web 加2核
    要是忙起来就给 web 加2核
    忙起来就给 web 加2核
    忙的话给 web 加2核
    web 慢的话加2核
    假如流量上来就给 web 加2核
    万一 web 卡了就给它加2核
    一旦 web 卡就加2核
    只要 web 卡就加2核
    只有老王同意才把 web 限制到2核
    等老王同意再把 web 限制到2核
    等发布完再冻结 web
    等流量上来再给 web 加2核
    倘若 web 内存不足就加2核
    若 web 变慢则加2核
    除非下雨否则把 web 限制到2核
    当 CPU 超过80%时给 web 加2核
    web CPU 到80%时加2核
    每当 web 变慢就加2核
    必要时给 web 加2核
    有需要再给 web 加2核
    视情况给 web 加2核
    看情况把 web 限制到2核
    不行就给 web 加2核
    实在不行就把 web 限制到2核
    出问题的话撤销上一条
    不好用就撤销上一条
    假设把 web 限制到2核
    假设 web 有3倍流量
    设想给 web 加2核
    想象一下 web 只有2核
    如果把 web 限制到2核会怎样
    把 web 限制到2核会怎样
    给 web 加2核会怎么样
    要是给 web 加2核就好了
    理论上 web 最多2核
    web 本来该加2核
    本应给 web 加2核
    早该给 web 加2核
    早知道就给 web 加2核了
    换我就给 web 加2核
    我会把 web 限制到2核
    恨不得给 web 加2核
    但愿 web 至少有4核
    web 能有4核就好了
    就当 web 最多2核
    好啊，给 web 加2核，反正没用
    行吧，冻结 web，看你怎么办
    呵呵，给 web 加2核
    哈哈给 crawler 加100核
    真是好主意，把 web 限制到2核
    有本事把 web 限制到1核
    干脆全部冻结算了，哈哈
    你怎么不给 web 加200核
    开玩笑，给 web 加2核
    给 web 加2核才怪
    “把 web 限制到2核”
    "给 web 加2核"
    「冻结 web 到周五」
    他写道：把 web 限制到2核
    按钮上写着“冻结 web”
    命令“把 web 限制到2核”没生效
    输入了“给 web 加2核”
    “把 web 限制到2核”是什么意思
    老王：把 web 限制到2核
    标题：冻结 web 到周五
    聊天记录：给 web 加2核
    > 把 web 限制到2核
    老王，把 web 限制到2核
    小李，给 web 加2核
    @老王 把 crawler 限制到1核
    王工，麻烦给 web 加2核
    让老王把 web 限制到2核
    叫小李给 web 加2核
    请老王给 web 加2核
    告诉老王把 web 限制到2核
    麻烦运维同学给 web 加2核
    请平台组把 web 限制到2核
    通知小李冻结 web
    谁去把 crawler 限制到1核
    提醒我撤销上一条
    我来把 web 限制到2核
    我去给 web 加2核
    我马上给 web 加2核
    回头我给 web 加2核
    我们自己把 web 限制到2核
    老王应该给 web 加2核
    你们组该给 web 加2核
    在 k8s 里把 web 限制到2核
    在 Kubernetes 上给 web 加2核
    阿里云上给 web 加2核
    在测试集群把 web 限制到2核
    在我的笔记本上把 docker 限制到2核
    在 compose 文件里把 web 限制到2核
    改一下 systemd 单元让 web 最多2核
    用 Terraform 把 web 设为2核
    在 HPA 里把 web 设为至少2个副本
    冻结 web 分支到周五
    冻结 web 代码仓库到周五
    把 web 的 JVM 堆设为2G
    把 web 的连接池设为20
    回滚上一次提交
    回滚 web 的上次发布
    把 web 回滚到上个版本
    撤销上一次数据库迁移
    暂停 web 的流水线到周五
    另一个机房给 web 加2核
"#;

const PLAIN: &str = r#"
    临时给 web 加2核
    暂时把 web 限制到2核
    同时给 web 加2核
    现在想把 web 限制到2核
    please give web 2 more cores
    Network: cap web at 10 MB/s
    Therefore, limit web to 2 cores
    we must limit crawler to 1 core
    you should limit crawler to 1 core
    let web have at least 2 cores
    users say web is slow
    web has been slow since yesterday
    Hi all, limit crawler to 1 core
    urgent: limit crawler to 1 core
    web keeps running out of memory when users log in
    能不能给 web 加2核
    可以的话把 web 限制到2核
    麻烦给 web 加2核
    别忘了把 web 限制到2核
    客户反映 web 很慢
    据说 web 内存不足
    web 内存不够了，加2G
    今晚就把 web 限制到2核
    周五之前别动 web
    小心，web 最多2核
"#;
