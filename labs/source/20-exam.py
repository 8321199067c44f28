# %% [markdown]
# # Lab 20: The exam
#
# **Time:** ten minutes for a try, 130 minutes for the whole exam. **You need:** nothing; the more labs you have done, the better
# it goes.
#
# When you are done you can
# - sit a mock exam under the rules of a real one: its time, its share of each domain, nothing told before the end,
# - read the result for what it says, and for what it can not say,
# - ask the Region for proof of an answer,
# - let what you got wrong decide what you do tomorrow.

# %% [markdown]
# ## The ways to be asked
#
# | | asks | tells the reason | clock | pause |
# |---|---|---|---|---|
# | `lab.quiz("services")` | one topic | at once | no | it waits |
# | `lab.exam(..., practice=True)` | like the exam | at once, and the answer is final | only with `minutes` | yes |
# | `lab.exam(...)` | like the exam | after the end; until then every answer can change | runs, whatever happens | no |
# | `lab.review()` | what you are about to forget | at once | no | it waits |
#
# Each of them works in a terminal too: `ecslab exam`, `ecslab quiz services`, `ecslab review`.

# %%
import ecslab

lab = ecslab.open_lab("20-exam")
lab.exams()

# %% [markdown]
# *ECS specialist* is an exam of ours, shaped like those of AWS. The five others carry the name, the time and the domains of an
# AWS exam, but ask only what it would ask about containers. Where our questions are too few for a domain, the others make up
# for it, and the exam says so when it begins.
#
# **Predict:** the exam has 65 questions and 20 percent of it is about task definitions and tasks. How many are that?

# %%
from ecslab.teach.blueprint import BLUEPRINTS, wanted

plan = BLUEPRINTS["ecs-specialist"]
shares = {domain.name: domain.percent for domain in plan.domains}
for domain, count in sorted(wanted(plan).items(), key=lambda one: -one[1]):
    print(f"{count:3} questions, {shares[domain]:3} %  {domain}")

# %% [markdown]
# ## Try the room
#
# Five questions of practice. Everything can be done by keyboard: **Tab** goes on, the **arrows** choose, **Space** ticks, **Enter**
# goes to the next question. The row of numbers is one stop of Tab: the arrows go through it, Enter goes there.
#
# - **Strike out** what you know to be wrong. It is only for your eyes.
# - **Flag** what you want to see again; the review list can show the flagged alone.
# - Say **how sure** you are. It does not count, but it will tell you something at the end.

# %%
lab.exam(n=5, practice=True)

# %% [markdown]
# ## Break it
#
# In an exam center the power may fail, and the clock runs on. Begin the short exam below, answer two questions, flag a third,
# write a note. Then press **Kernel > Restart Kernel**, run the cell that opens the lab and the cell below again.
#
# **Predict:** where do you stand, and what does the timer say?

# %%
lab.exam("services", n=6, minutes=10)

# %% [markdown]
# You stand where you were, and the restart cost you its own time and nothing else. Every press is kept in your progress file
# before it is shown, and of the clock only the start is kept.
#
# A second experiment: try to begin *another* exam of the same name while this one is under way. Press Begin below.

# %%
lab.exam("services", n=3)

# %% [markdown]
# ## The exam
#
# 65 questions, 130 minutes. 15 of the questions do not count, and you are not told which: AWS tries new questions that way.
# A question with several right answers counts only if all of them are chosen and no other. Guess rather than leave a question
# open: a wrong answer costs no more than none.
#
# Two minutes for each question is enough if no question gets ten. Answer, flag, go on; look at the flagged ones at the end. The
# timer can be hidden: at 10, 5 and 1 minutes left you are told anyway. If you are allowed more time in the real exam, give it to
# yourself under **More time**; the result says how much it was.

# %%
lab.exam()

# %% [markdown]
# For an AWS exam write `lab.exam("SAA-C03")`; for one domain alone `lab.exam("SAA-C03", section="Resilient")`.

# %% [markdown]
# ## What the result says
#
# AWS reports a number from 100 to 1000 and does not publish how it follows from the answers. So no mock exam can tell you that
# number. What it can tell: how many of the scored questions were right, and how far such a count strays by chance.
#
# **Predict:** you had 40 of 50 right, 80 percent, and need about 72. Did you pass?

# %%
from ecslab.teach.results import Estimate, binomial_band

for right in (30, 36, 40, 45):
    estimate = Estimate(right / 50, *binomial_band(right, 50), plan.pass_share)
    print(f"{right} of 50: between {estimate.low:.0%} and {estimate.high:.0%}, so {estimate.verdict}")

# %% [markdown]
# With 50 questions even 80 percent is too close to call: the same knowledge gives 67 percent on a bad day. Aim for 90.
#
# The other numbers say what to do about it:
#
# - **By domain, by objective:** where the points are. A weak domain with a large share comes first.
# - **By how sure you were:** *sure* and wrong is a misconception: read the reasons, then do the lab. *A guess* and right was luck.
# - **Longest thought about:** right but slow is not known yet.
# - **Next labs:** those behind most of what was not right.

# %% [markdown]
# ## Do not believe the key
#
# Where a question claims what ECS does, **Show me** stands under its explanation: a Region of its own plays it. The same as a
# call, for a service that never gets its new revision out:

# %%
lab.ask("deployments.one-task-without-downtime")

# %%
lab.show("deployments.one-task-without-downtime")

# %% [markdown]
# ## What now?
#
# What was wrong is on your **shelf** until it was right twice in a row.

# %%
lab.shelf()

# %% [markdown]
# Where you are **weak**, by topic, and a quiz of it:

# %%
lab.weak_spots()

# %% [markdown]
# **Mastery** over the last month, by topic or by objective. A band is wide where little was asked, and widens again where
# nothing was asked for long.

# %% tags=["nbval-ignore-output"]
lab.mastery()

# %% tags=["nbval-ignore-output"]
lab.mastery(by="objective")

# %% [markdown]
# And tomorrow: what is due when. `lab.review()` asks it, and so does `ecslab review` in a terminal.

# %%
lab.due()

# %% [markdown]
# ## Summary
#
# - An exam tells nothing before its end, its clock does not stop, and nothing you did is lost.
# - A raw percentage of 50 questions is good to about ten points. Practise until the whole band is above the mark.
# - Sure and wrong is the most valuable answer you can give: it is the one you would not have looked up.
#
# **Next:** come back tomorrow for `lab.review()`, and sit the exam again in a week; another one is drawn.

# %% tags=["nbval-ignore-output"]
lab.progress()
